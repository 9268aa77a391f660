//! Resolves names to addresses, one family at a time, so that a name server that is slow for one family does not delay
//! the other.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dispatcher) enum Family {
    V4,
    V6,
}

/// Finds the addresses of a name. Returns none if the name has none, and if no name server responds.
pub(in crate::dispatcher) trait Resolve {
    /// The addresses of one family.
    fn lookup(&self, host: &str, family: Family) -> LocalBoxFuture<'static, Vec<IpAddr>>;
}

/// Resolves names for one thread.
pub(in crate::dispatcher) type Resolver = Rc<dyn Resolve>;

/// Uses the hosts file and the system's name servers, and caches responses for as long as they allow.
pub(in crate::dispatcher) struct SystemResolver {
    v4: TokioResolver,
    v6: TokioResolver,
}

/// Names can't be resolved on this machine.
#[derive(Debug, thiserror::Error)]
#[error("names can't be resolved: {0}")]
pub struct ResolverError(String);

/// A resolver for one thread.
pub(in crate::dispatcher) fn system_resolver() -> Result<SystemResolver, ResolverError> {
    let of = |strategy| {
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            // The C library does the same without a resolv.conf.
            tracing::warn!(%error, "no name servers are configured; using the one on this machine");
            let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![local]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        });
        builder.options_mut().ip_strategy = strategy;
        builder.build().map_err(|error| ResolverError(error.to_string()))
    };
    Ok(SystemResolver { v4: of(LookupIpStrategy::Ipv4Only)?, v6: of(LookupIpStrategy::Ipv6Only)? })
}

impl Resolve for SystemResolver {
    fn lookup(&self, host: &str, family: Family) -> LocalBoxFuture<'static, Vec<IpAddr>> {
        let resolver = match family {
            Family::V4 => self.v4.clone(),
            Family::V6 => self.v6.clone(),
        };
        let host = host.to_owned();
        Box::pin(async move {
            let found = resolver.lookup_ip(host).await;
            found.map_or_else(|_| Vec::new(), |found| found.iter().collect())
        })
    }
}
