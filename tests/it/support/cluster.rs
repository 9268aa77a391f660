//! A Redis Cluster of three masters on this machine, without replicas: what a killed one held is away
//! until it is started again, and the others go on.

use std::process::Command;
use std::time::Instant;

use super::redis::{RedisServer, free_port};
use super::{DEADLINE, run};

/// A cluster that runs.
pub(crate) struct RedisCluster {
    masters: Vec<RedisServer>,
}

impl RedisCluster {
    pub(crate) fn start() -> Self {
        let masters: Vec<RedisServer> = (0..3).map(|_| RedisServer::with(&member(free_port()))).collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]);
        create.args(masters.iter().map(|master| format!("127.0.0.1:{}", master.port()))).arg("--cluster-yes");
        run(&mut create);
        let cluster = Self { masters };
        cluster.wait_until(|master| master.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
        cluster
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.masters.iter().map(|master| format!("127.0.0.1:{}", master.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Starts again those that were killed, and waits until all are together.
    pub(crate) fn run_all(&mut self) {
        for master in self.masters.iter_mut().filter(|master| !master.runs()) {
            master.run();
        }
        self.wait_until(|master| {
            let info = master.cli(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
        });
    }

    /// The master that holds a key.
    pub(crate) fn holder(&mut self, key: &str) -> &mut RedisServer {
        let holds = |master: &RedisServer| master.runs() && !master.cli(&["EXISTS", key]).contains("MOVED");
        self.masters.iter_mut().find(|master| holds(master)).expect("every slot has a master")
    }

    /// A master that does not hold a key.
    pub(crate) fn other_than_holder(&mut self, key: &str) -> &mut RedisServer {
        let holds = |master: &RedisServer| !master.cli(&["EXISTS", key]).contains("MOVED");
        self.masters.iter_mut().find(|master| !holds(master)).expect("there are three")
    }

    fn wait_until(&self, holds: impl Fn(&RedisServer) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !self.masters.iter().all(&holds) {
            assert!(Instant::now() < deadline, "the cluster did not come together");
            std::thread::yield_now();
        }
    }
}

/// Half a second without an answer makes a master count as failed.
fn member(bus: u16) -> Vec<String> {
    let options = "--save|''|--cluster-enabled|yes|--cluster-node-timeout|500|--cluster-require-full-coverage|no";
    let options = options.split('|').map(|option| option.trim_matches('\'').to_owned());
    options.chain(["--cluster-port".to_owned(), bus.to_string(), "--appendonly".to_owned(), "yes".to_owned()]).collect()
}
