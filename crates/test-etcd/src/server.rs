//! A real etcd on loopback, on free ports. A shell stands between it and the test: it ends etcd when the test's end of a pipe closes,
//! which happens even when the test is killed.

mod surroundings;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use self::surroundings::{free_ports, is_installed};

/// Runs "$@", and ends it and everything of it when standard input ends.
const WARDEN: &str = r#"exec 3<&0
"$@" </dev/null & etcd=$!
{ cat <&3 >/dev/null; kill -9 $etcd 2>/dev/null; } & warden=$!
wait $etcd
kill $warden 2>/dev/null
[ -z "$DRL_TEST_REMOVE" ] || rm -rf "$DRL_TEST_REMOVE"
"#;

const LOOPBACK: &str = "127.0.0.1";

/// What members are called.
const NAMES: [&str; 3] = ["m0", "m1", "m2"];

const READY: &str = "ready to serve client requests";

const START_WITHIN: Duration = Duration::from_mins(1);

/// How often a server that starts is looked at.
const PACE: Duration = Duration::from_millis(50);

/// A server that may be running.
pub struct Server {
    directory: PathBuf,
    temporary: Option<TempDir>,
    /// Where it listens.
    host: String,
    client_port: u16,
    peer_port: u16,
    extra: Vec<String>,
    /// The name of its directory below `directory`.
    data: String,
    name: &'static str,
    /// Every member as etcd wants it: `name=peer URL`, with commas.
    cluster: String,
    running: Option<Running>,
    scheme: &'static str,
}

struct Running {
    warden: Child,
    pipe: Option<ChildStdin>,
}

impl Server {
    /// The server that the tests of this process share. It ends with the process.
    ///
    /// # Errors
    /// When it does not start.
    pub fn shared() -> Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
        if !is_installed() {
            return Ok(None);
        }
        let shared = SHARED.get_or_init(|| {
            let directory = TempDir::new().map_err(|error| error.to_string())?.keep();
            Self::start_in(directory, None, &[], "http").map_err(|error| format!("{error:#}"))
        });
        shared.as_ref().map(Some).map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// A server of this test's own; `None` where there is no etcd.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(extra: &[&str]) -> Result<Option<Self>> {
        Self::start_with(extra, "http")
    }

    /// One whose clients use TLS.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_tls(extra: &[&str]) -> Result<Option<Self>> {
        Self::start_with(extra, "https")
    }

    fn start_with(extra: &[&str], scheme: &'static str) -> Result<Option<Self>> {
        if !is_installed() {
            return Ok(None);
        }
        let temporary = TempDir::new()?;
        Self::start_in(temporary.path().to_owned(), Some(temporary), extra, scheme).map(Some)
    }

    /// Three members of one cluster; `None` where there is no etcd.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start_three() -> Result<Option<Vec<Self>>> {
        Self::start_members(3, LOOPBACK, &[], |_| Ok(()))
    }

    /// So many members of one cluster, on an address of this machine; each directory is prepared before its member starts. `None` where
    /// there is no etcd.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start_members(
        count: usize,
        host: &str,
        extra: &[&str],
        prepare: impl Fn(&Path) -> Result<()>,
    ) -> Result<Option<Vec<Self>>> {
        if !is_installed() {
            return Ok(None);
        }
        let mut members = Vec::new();
        for name in NAMES.iter().take(count) {
            let temporary = TempDir::new()?;
            let mut member = Self::new(temporary.path().to_owned(), Some(temporary), extra, "http");
            prepare(&member.directory)?;
            host.clone_into(&mut member.host);
            (member.client_port, member.peer_port) = free_ports()?;
            member.name = name;
            members.push(member);
        }
        let cluster: Vec<_> = members.iter().map(|member| format!("{}={}", member.name, member.peer_url())).collect();
        for member in &mut members {
            member.cluster = cluster.join(",");
            member.begin()?;
        }
        for member in &mut members {
            member.wait_until_ready()?;
        }
        Ok(Some(members))
    }

    fn new(directory: PathBuf, temporary: Option<TempDir>, extra: &[&str], scheme: &'static str) -> Self {
        Self {
            directory,
            temporary,
            host: LOOPBACK.to_owned(),
            client_port: 0,
            peer_port: 0,
            extra: extra.iter().map(ToString::to_string).collect(),
            data: "data".to_owned(),
            name: "t",
            cluster: String::new(),
            running: None,
            scheme,
        }
    }

    fn start_in(directory: PathBuf, temporary: Option<TempDir>, extra: &[&str], scheme: &'static str) -> Result<Self> {
        let mut server = Self::new(directory, temporary, extra, scheme);
        let mut tries = 3;
        loop {
            (server.client_port, server.peer_port) = free_ports()?;
            server.cluster = format!("{}={}", server.name, server.peer_url());
            match server.run() {
                // Somebody else took a port between our look and etcd's.
                Err(error) if tries > 1 && format!("{error:#}").contains("address already in use") => tries -= 1,
                result => return result.map(|()| server),
            }
        }
    }

    /// Starts it, again, on the same ports and data, and waits until it serves.
    ///
    /// # Errors
    /// When it does not start.
    pub fn run(&mut self) -> Result<()> {
        self.begin()?;
        self.wait_until_ready()
    }

    /// Starts it, and does not wait. Members of a cluster need each other to serve.
    ///
    /// # Errors
    /// When it does not start.
    pub fn begin(&mut self) -> Result<()> {
        let (client, peer) = (self.url(), self.peer_url());
        let mut command = Command::new("sh");
        command.args(["-c", WARDEN, "warden", "etcd", "--name", self.name, "--data-dir"]);
        command.arg(self.directory.join(&self.data));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &self.cluster, "--initial-cluster-token", "drl-test"]);
        command.args(&self.extra).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(self.log())?);
        if self.temporary.is_none() {
            command.env("DRL_TEST_REMOVE", &self.directory);
        }
        let mut warden = command.spawn()?;
        let pipe = warden.stdin.take();
        self.running = Some(Running { warden, pipe });
        Ok(())
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// When it ends instead, or takes too long.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        for _ in 0..START_WITHIN.as_millis() / PACE.as_millis() {
            let text = std::fs::read_to_string(self.log())?;
            if text.contains(READY) {
                return Ok(());
            }
            if self.running.as_mut().context("it was not started")?.warden.try_wait()?.is_some() {
                bail!("etcd ended before it served: {text}");
            }
            std::thread::park_timeout(PACE);
        }
        self.kill();
        bail!("etcd does not serve within {START_WITHIN:?}: {}", std::fs::read_to_string(self.log())?)
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Where it keeps its log and its data.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.running.as_mut().is_none_or(|running| !matches!(running.warden.try_wait(), Ok(None)))
    }

    /// kill -9, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.end();
        }
    }

    /// Goes on with another data directory, such as one that a backup was restored to.
    pub fn use_data(&mut self, data: &str) {
        data.clone_into(&mut self.data);
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.client_port)
    }

    #[must_use]
    pub fn peer_url(&self) -> String {
        format!("http://{}:{}", self.host, self.peer_port)
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    #[must_use]
    pub const fn client_port(&self) -> u16 {
        self.client_port
    }

    /// Runs `etcdctl`, as an operator would.
    ///
    /// # Errors
    /// When it cannot be run, or fails; with what it says.
    pub fn etcdctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.url()]).args(arguments);
        let output = command.current_dir(&self.directory).output().context("etcdctl (package etcd-client)")?;
        ensure!(output.status.success(), "etcdctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Running {
    fn end(&mut self) {
        drop(self.pipe.take());
        let _ = self.warden.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
