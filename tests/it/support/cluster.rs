//! A Redis Cluster of three masters on this machine, without replicas: the data of a killed master is unavailable until
//! it is started again; the others continue.

use std::process::Command;
use std::time::Instant;

use super::redis::{RedisServer, free_port};
use super::{DEADLINE, run};

/// A running cluster.
pub(crate) struct RedisCluster {
    masters: Vec<RedisServer>,
}

impl RedisCluster {
    pub(crate) fn start() -> Self {
        let masters: Vec<RedisServer> = (0..3).map(|_| RedisServer::with_each(|| member(free_port()))).collect();
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

    /// Restarts the killed masters, and waits until the cluster is complete.
    pub(crate) fn run_all(&mut self) {
        for master in self.masters.iter_mut().filter(|master| !master.runs()) {
            master.run();
        }
        self.wait_until(|master| {
            let info = master.cli(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
        });
    }

    /// The number of the master that holds a key.
    pub(crate) fn place(&self, key: &str) -> usize {
        let holds = |master: &RedisServer| master.runs() && master.cli(&["EXISTS", key]).parse::<u8>().is_ok();
        self.masters.iter().position(holds).expect("every slot has a master")
    }

    pub(crate) fn master(&self, number: usize) -> &RedisServer {
        &self.masters[number]
    }

    pub(crate) fn master_mut(&mut self, number: usize) -> &mut RedisServer {
        &mut self.masters[number]
    }

    /// The master that holds a key.
    pub(crate) fn holder(&mut self, key: &str) -> &mut RedisServer {
        let place = self.place(key);
        self.master_mut(place)
    }

    /// A master that does not hold a key.
    pub(crate) fn other_than_holder(&mut self, key: &str) -> &mut RedisServer {
        let place = (self.place(key) + 1) % self.masters.len();
        self.master_mut(place)
    }

    fn wait_until(&self, holds: impl Fn(&RedisServer) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !self.masters.iter().all(&holds) {
            assert!(Instant::now() < deadline, "the cluster did not form in time");
            crate::support::pause();
        }
    }
}

/// A master that does not respond for half a second counts as failed. No data is lost at a restart.
fn member(bus: u16) -> Vec<String> {
    let options = "--save||--cluster-enabled|yes|--cluster-node-timeout|500|--cluster-require-full-coverage|no\
                   |--appendonly|yes|--appendfsync|always|--cluster-port";
    options.split('|').map(str::to_owned).chain([bus.to_string()]).collect()
}
