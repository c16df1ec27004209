//! The way to etcd, as flags. Whatever can be told to be wrong before etcd is asked is refused with the flag's name. What may be a
//! password is never repeated, and does not print.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::builder::TypedValueParser;
use clap::{Arg, Args, Command};
use drl_coordination::{ClusterName, Credentials, Endpoint, Etcd, EtcdOptions, InvalidOptions, Keys, Tls};

use crate::exit::usage;

/// A certificate has a few thousand bytes; a larger file is another one by mistake.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// Which etcd, who asks, and which of the clusters in it.
#[derive(Debug, Args)]
pub(crate) struct EtcdArgs {
    /// etcd: the client URLs of its members, with commas between them
    #[arg(long, env = "DRL_ETCD", value_name = "URL[,URL]", value_parser = Unrepeated(EtcdOptions::new))]
    etcd: Option<EtcdOptions>,
    /// A user of etcd; better in the environment, since others on this machine can read command lines
    #[arg(
        long, env = "DRL_ETCD_USER", hide_env_values = true, value_name = "NAME:PASSWORD",
        value_parser = Unrepeated(Credentials::parse)
    )]
    etcd_user: Option<Credentials>,
    /// Certificate of the authority that signed etcd's, PEM; for URLs with https
    #[arg(long, env = "DRL_ETCD_CA", value_name = "FILE")]
    etcd_ca: Option<PathBuf>,
    /// Client certificate for etcd, PEM; with --etcd-key
    #[arg(long, env = "DRL_ETCD_CERT", value_name = "FILE")]
    etcd_cert: Option<PathBuf>,
    /// Key of the client certificate, PEM
    #[arg(long, env = "DRL_ETCD_KEY", value_name = "FILE")]
    etcd_key: Option<PathBuf>,
    /// Which of the clusters in this etcd
    #[arg(long, env = "DRL_CLUSTER", value_name = "NAME", default_value_t = ClusterName::default())]
    cluster: ClusterName,
}

/// A parser whose errors do not repeat the value, since a password may be in it.
#[derive(Clone, Copy)]
struct Unrepeated<T>(fn(&str) -> Result<T, InvalidOptions>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unrepeated<T> {
    type Value = T;

    fn parse_ref(&self, _: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let name = flag.and_then(Arg::get_long).unwrap_or_default();
        let text = value.to_str().ok_or_else(|| usage(&format!("--{name} is not UTF-8")))?;
        (self.0)(text).map_err(|invalid| usage(&invalid.to_string()))
    }
}

impl EtcdArgs {
    pub(crate) const fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    pub(crate) const fn is_given(&self) -> bool {
        self.etcd.is_some()
    }

    /// The members' URLs, with commas.
    pub(crate) fn urls(&self) -> String {
        let endpoints = self.etcd.iter().flat_map(|options| &options.endpoints);
        endpoints.map(Endpoint::url).collect::<Vec<_>>().join(",")
    }

    /// How etcd is reached; `None` when there is to be none.
    ///
    /// # Errors
    /// A usage error for flags that do not fit together; others for files that cannot be read or used.
    pub(crate) fn options(&self) -> anyhow::Result<Option<EtcdOptions>> {
        let Some(mut options) = self.etcd.clone() else {
            self.refuse_strays()?;
            return Ok(None);
        };
        options.credentials.clone_from(&self.etcd_user);
        options.tls = self.tls()?;
        options.check().map_err(|invalid| usage(&invalid.to_string()))?;
        Ok(Some(options))
    }

    /// A client of the etcd that is given. It asks nothing yet.
    ///
    /// # Errors
    /// As [`EtcdArgs::options`]; and when there is none.
    pub(crate) async fn open(&self) -> anyhow::Result<Arc<Etcd>> {
        let options = self.options()?.ok_or_else(|| usage("give --etcd URL"))?;
        Ok(Arc::new(Etcd::new(options).await?))
    }

    /// The keys of the cluster.
    pub(crate) fn keys(&self) -> Keys {
        Keys::new(&self.cluster)
    }

    /// Whoever says who they are to etcd means to use it.
    ///
    /// # Errors
    /// A usage error that names one of them.
    pub(crate) fn refuse_strays(&self) -> Result<(), clap::Error> {
        let given = [
            ("--etcd-user", self.etcd_user.is_some()),
            ("--etcd-ca", self.etcd_ca.is_some()),
            ("--etcd-cert", self.etcd_cert.is_some()),
            ("--etcd-key", self.etcd_key.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                Err(usage(&format!("{flag} is given without --etcd; give etcd's URL too, or leave it out")))
            }
            None => Ok(()),
        }
    }

    fn tls(&self) -> anyhow::Result<Option<Tls>> {
        if self.etcd_cert.is_some() != self.etcd_key.is_some() {
            return Err(usage(&InvalidOptions::HalfIdentity.to_string()).into());
        }
        let Some(ca) = &self.etcd_ca else {
            if self.etcd_cert.is_some() {
                let text = "--etcd-cert needs --etcd-ca: the certificate of the authority that signed etcd's";
                return Err(usage(text).into());
            }
            return Ok(None);
        };
        let read = |flag, path: &Option<PathBuf>| path.as_ref().map(|path| pem(flag, path)).transpose();
        let (cert, key) = (read("--etcd-cert", &self.etcd_cert)?, read("--etcd-key", &self.etcd_key)?);
        let tls = Tls::new(pem("--etcd-ca", ca)?, cert, key);
        Ok(Some(tls.with_context(|| format!("{} cannot be used", self.files()))?))
    }

    fn files(&self) -> String {
        let files = [&self.etcd_ca, &self.etcd_cert, &self.etcd_key].into_iter().flatten();
        files.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

fn pem(flag: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("{flag}: cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(cannot)?;
    let mut text = Vec::new();
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut text).with_context(cannot)?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > PEM_BYTES_MAX) {
        bail!("{flag}: {} is longer than {PEM_BYTES_MAX} bytes; is it a certificate or key in PEM?", path.display());
    }
    Ok(text)
}
