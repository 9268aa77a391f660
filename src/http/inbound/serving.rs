//! Serves one request by the router. Marks its connection as busy until the response is written.

use std::rc::Rc;

use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONNECTION, HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode, Version};
use actix_web::{Error, ResponseError as _};
use futures_util::future::Either;

use super::HEAD;
use super::client_connection::{ClientConnection, HeadRefused};
use super::framing::UnfitHead;
use super::response::{ResponseBody, ServedRequest};
use super::stream::REFUSED_PATH;
use crate::http::problem::Problem;

/// Serves one request by the router. The response to a refused head takes the place of the router's.
pub(super) fn serve_one<S>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse<ResponseBody>, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let connection = request.conn_data::<Rc<ClientConnection>>().cloned();
    let refused = connection.as_ref().and_then(|own| own.refused()).filter(|_| request.path() == REFUSED_PATH);
    let served = connection.map(ServedRequest::begin);
    let response = match refused {
        Some(reason) => Either::Left(std::future::ready(Ok(request.into_response(refusal(reason).error_response())))),
        None => Either::Right(service.call(request)),
    };
    async move {
        let mut response = response.await?;
        close_at_stop(response.headers_mut(), served.as_ref());
        suit_request(&mut response);
        Ok(response.map_body(|_, body| ResponseBody::new(body, served)))
    }
}

/// While the server stops, each response is its connection's last.
fn close_at_stop(headers: &mut HeaderMap, served: Option<&ServedRequest>) {
    if served.is_some_and(|served| served.connection().is_stopping()) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Adapts a response to its request. The server would confirm an upgrade that was offered and is not made, and send
/// chunks to a client of HTTP/1.0, which does not know them (RFC 9112, section 6.1). In both cases the connection
/// ends with the response. So it does if the response has the field `connection: close`: the server writes that field
/// only if the connection's type is set.
fn suit_request(response: &mut ServiceResponse<BoxBody>) {
    let request = response.request().head();
    let is_old = request.version < Version::HTTP_11 && response.response().body().size() == BodySize::Stream;
    let says_so = response.headers().get(CONNECTION).is_some_and(|value| value == "close");
    if request.upgrade() || is_old || says_so {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
        head.no_chunking(is_old);
    }
}

/// The response to a refused head.
fn refusal(reason: HeadRefused) -> Problem {
    let (status, code, detail) = match reason {
        HeadRefused::Unfit(UnfitHead::TooLong) => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            format!(
                "the request line and the header fields have more than {} bytes; send fewer or shorter ones",
                HEAD.bytes
            ),
        ),
        HeadRefused::Unfit(UnfitHead::TooManyFields) => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too_many_headers",
            format!("the request has more than {} header fields; send fewer", HEAD.fields),
        ),
        HeadRefused::Unfit(UnfitHead::UpgradeWithBody) => (
            StatusCode::BAD_REQUEST,
            "malformed_request",
            "this server has no WebSocket; send the request without the field `upgrade`".to_owned(),
        ),
        HeadRefused::Timeout => (
            StatusCode::REQUEST_TIMEOUT,
            "head_timeout",
            "the request line and the header fields did not arrive in time; send the request again".to_owned(),
        ),
    };
    Problem::new(status, code, detail)
}
