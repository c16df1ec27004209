//! A node to test against, and clients that are small enough to see through.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use drl_core::NodeId;
use drl_node::{Addresses, Node, NodeOptions, RunError};
use drl_proto::v1;
use drl_proto::v1::limits_client::LimitsClient;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Channel;

/// Longer than anything here takes; a test that reaches it hangs.
const DEADLINE: Duration = Duration::from_mins(1);

/// A node that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) addresses: Addresses,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), RunError>>,
}

/// Options for a node on free ports of the loopback.
pub(crate) fn options(dir: &Path) -> NodeOptions {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut options = NodeOptions::new(NodeId::new("test").unwrap(), dir.to_owned());
    (options.listen, options.http_listen, options.resp_listen) = (any, any, Some(any));
    options
}

pub(crate) async fn start(dir: &TempDir) -> Running {
    start_with(options(dir.path())).await
}

pub(crate) async fn start_with(options: NodeOptions) -> Running {
    let node = Node::start(options).await.unwrap();
    let addresses = node.addresses();
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(node.run(async {
        let _ = stopped.await;
    }));
    Running { addresses, stop, ended }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(DEADLINE, self.ended).await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn resp(&self) -> Resp {
        Resp::connect(self.addresses.resp.unwrap()).await
    }

    pub(crate) async fn limits(&self) -> LimitsClient<Channel> {
        LimitsClient::connect(format!("http://{}", self.addresses.grpc)).await.unwrap()
    }

    /// Sets the default policy of the default namespace.
    pub(crate) async fn set_default(&self, json: &str) -> u64 {
        let everyone = v1::selector::Selector::Default(v1::selector::Default {});
        self.set(everyone, json).await.unwrap()
    }

    pub(crate) async fn set(&self, selector: v1::selector::Selector, json: &str) -> Result<u64, tonic::Status> {
        let request = v1::SetLimitsRequest {
            namespace: String::new(),
            selector: Some(v1::Selector { selector: Some(selector) }),
            policy_json: json.to_owned(),
        };
        Ok(self.limits().await.set(request).await?.into_inner().revision)
    }

    /// One HTTP request on a connection of its own; the head and the body of the response.
    pub(crate) async fn http(&self, request: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.addresses.http).await.unwrap();
        let length = body.len();
        let request =
            format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        exchange(&mut stream, request.as_bytes()).await
    }
}

/// Sends, reads to the end, and splits head from body.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8]) -> (String, String) {
    stream.write_all(request).await.unwrap();
    let mut response = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut response)).await.unwrap().unwrap();
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// A Redis client: it sends words and shows replies as one line of text.
pub(crate) struct Resp {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

impl Resp {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    /// Sends a command (words are separated by single spaces) and reads its reply.
    pub(crate) async fn call(&mut self, command: &str) -> String {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        self.send(&encode(&words)).await;
        self.reply().await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next reply: `+OK`, `-ERR ..`, `:1`, `$text`, `_` for null, `[..]` for arrays and `{..}` for maps.
    pub(crate) async fn reply(&mut self) -> String {
        loop {
            if let Some((shown, length)) = show(&self.unread) {
                self.unread.drain(..length);
                return shown;
            }
            let length = timeout(DEADLINE, self.stream.read_buf(&mut self.unread)).await.unwrap().unwrap();
            assert_ne!(length, 0, "the connection was closed in {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// Whether the node closes the connection without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(timeout(DEADLINE, self.stream.read(&mut [0])).await.unwrap(), Ok(0) | Err(_))
    }
}

/// A command as an array of bulk strings.
pub(crate) fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The first reply of `bytes` as text, and how many bytes it takes; `None` while it is not complete.
fn show(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&bytes[..end]).unwrap();
    let (sign, rest) = line.split_at(1);
    let after = end + 2;
    match sign {
        "$" if rest == "-1" => Some(("_".to_owned(), after)),
        "$" => {
            let length: usize = rest.parse().unwrap();
            let text = bytes.get(after..after + length + 2)?;
            Some((format!("${}", String::from_utf8_lossy(&text[..length])), after + length + 2))
        }
        "*" | "%" => {
            let mut count: usize = rest.parse().unwrap();
            if sign == "%" {
                count *= 2;
            }
            let (mut shown, mut at) = (Vec::new(), after);
            for _ in 0..count {
                let (one, length) = show(&bytes[at..])?;
                shown.push(one);
                at += length;
            }
            let shown = shown.join(" ");
            Some((if sign == "%" { format!("{{{shown}}}") } else { format!("[{shown}]") }, at))
        }
        _ => Some((line.to_owned(), after)),
    }
}
