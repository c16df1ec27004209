//! A network of the torture's own: a bridge, and for each node a namespace on it. Links are cut by nftables in the namespace of whoever would
//! hear, one way at a time, so that packets vanish and nothing says so. Clients and etcd are at the bridge itself.
//!
//! ```text
//!   clients, etcd 10.77.0.1 -- bridge --+-- 10.77.0.11 n1
//!                                       +-- 10.77.0.12 n2 ...
//! ```

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::shell::run;

/// Where clients and etcd are.
pub(crate) const HUB: &str = "10.77.0.1";

/// The bridge. It ends with this one, so that the next world can have another.
pub(crate) struct Network {
    spokes: Vec<Spoke>,
}

/// The namespace of a node. A process holds it; both, and the link, end with this one.
struct Spoke {
    holder: Child,
    link: String,
    address: String,
}

impl Network {
    /// # Errors
    /// `ip` or `nft` is not there or refuses.
    pub(crate) fn build(nodes: usize) -> Result<Self> {
        run(&format!("ip link add br0 type bridge; ip addr add {HUB}/24 dev br0; ip link set br0 up"))?;
        let mut network = Self { spokes: Vec::new() };
        for node in 0..nodes {
            network.spokes.push(Spoke::attach(node)?);
        }
        Ok(network)
    }

    #[must_use]
    pub(crate) fn address(&self, node: usize) -> &str {
        &self.spokes[node].address
    }

    /// The words before a program that runs in the namespace of a node.
    #[must_use]
    pub(crate) fn prefix(&self, node: usize) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.spokes[node].holder.id())]
    }

    /// From now on a node hears nothing of another node.
    ///
    /// # Errors
    /// `nft` refuses.
    pub(crate) fn cut(&self, from: usize, to: usize) -> Result<()> {
        self.spokes[to].drop_from(&format!("ip saddr {}", self.spokes[from].address))
    }

    /// From now on a node hears nothing of these ports of the hub.
    ///
    /// # Errors
    /// `nft` refuses.
    pub(crate) fn cut_from_hub(&self, to: usize, ports: &[u16]) -> Result<()> {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        self.spokes[to].drop_from(&format!("ip saddr {HUB} tcp sport {{ {} }}", ports.join(", ")))
    }

    /// From now on a node hears nobody.
    ///
    /// # Errors
    /// `nft` refuses.
    pub(crate) fn deafen(&self, node: usize) -> Result<()> {
        self.spokes[node].drop_from("iifname eth0")
    }

    /// From now on nobody hears a node.
    ///
    /// # Errors
    /// `nft` refuses.
    pub(crate) fn mute(&self, node: usize) -> Result<()> {
        self.spokes[node].inside("nft add rule inet cut out oifname eth0 drop")
    }

    /// Everybody hears everybody again.
    ///
    /// # Errors
    /// `nft` refuses.
    pub(crate) fn heal(&self) -> Result<()> {
        self.spokes
            .iter()
            .try_for_each(|spoke| spoke.inside("nft flush chain inet cut in; nft flush chain inet cut out"))
    }
}

impl Spoke {
    fn attach(node: usize) -> Result<Self> {
        let (link, address) = (format!("n{}", node + 1), format!("10.77.0.{}", 11 + node));
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.take().context("no stdout")?).read_line(&mut said)?;
        let spoke = Self { holder, link, address };
        let (pid, link, address) = (spoke.holder.id(), &spoke.link, &spoke.address);
        run(&format!("ip link add {link} type veth peer name eth0 netns {pid}; ip link set {link} master br0 up"))?;
        spoke.inside(&format!("ip link set lo up; ip addr add {address}/24 dev eth0; ip link set eth0 up"))?;
        spoke.inside(
            "nft add table inet cut
             nft 'add chain inet cut in { type filter hook input priority 0; }'
             nft 'add chain inet cut out { type filter hook output priority 0; }'",
        )?;
        Ok(spoke)
    }

    fn drop_from(&self, what: &str) -> Result<()> {
        self.inside(&format!("nft 'add rule inet cut in {what} drop'"))
    }

    fn inside(&self, line: &str) -> Result<()> {
        let quoted = line.replace('\'', r"'\''");
        run(&format!("nsenter --net=/proc/{}/ns/net sh -ec '{quoted}'", self.holder.id()))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = run("ip link del br0");
    }
}

impl Drop for Spoke {
    fn drop(&mut self) {
        // The kernel takes it away with the namespace too, but only by and by, and the next world wants one of that name.
        let _ = run(&format!("ip link del {}", self.link));
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
