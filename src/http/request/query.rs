//! Reads the parameters of a query. An unknown one is refused: a filter that nothing reads would return everything.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::http::problem::Problem;

/// The parameters of a request. `T` refuses unknown members; `takes` names those that it has.
pub(in crate::http) fn read<T: DeserializeOwned>(request: &HttpRequest, takes: &str) -> Result<T, Problem> {
    let read = web::Query::<T>::from_query(request.query_string());
    let detail = || format!("the query can't be read; it takes {takes}, each at most once");
    let read = read.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail()))?;
    Ok(read.into_inner())
}
