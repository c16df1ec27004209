//! Where policies are read and changed: in etcd, or through a node. The stronger source decides: flag, environment, config file; two
//! flags contradict each other, and elsewhere etcd goes first, since there its URL has no other meaning for these commands.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use drl_coordination::ClusterName;
use drl_policies::PolicyEditor;

use crate::connection::{self, ConnectionArgs};
use crate::etcd_args::EtcdArgs;
use crate::exit::usage;
use crate::policy_store::{EtcdPolicies, PolicyStore};

/// What was said about etcd and about a node, and which of the two it is.
#[derive(Debug)]
pub(crate) struct StoreArgs {
    etcd: EtcdArgs,
    connection: ConnectionArgs,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Etcd(Named),
    Node(Named),
}

/// Where that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    ByFlag,
    Elsewhere,
}

impl Args for StoreArgs {
    fn augment_args(command: Command) -> Command {
        ConnectionArgs::augment_args(EtcdArgs::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        ConnectionArgs::augment_args_for_update(EtcdArgs::augment_args_for_update(command))
    }
}

impl FromArgMatches for StoreArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let way = way(matches.value_source("etcd"), matches.value_source("endpoint"))?;
        let (etcd, connection) = (EtcdArgs::from_arg_matches(matches)?, ConnectionArgs::from_arg_matches(matches)?);
        Ok(Self { etcd, connection, way })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A config file's values are defaults; the endpoint has one in any case, etcd has none of its own.
fn way(etcd: Option<ValueSource>, endpoint: Option<ValueSource>) -> Result<Way, clap::Error> {
    let named = |source| if source == ValueSource::CommandLine { Named::ByFlag } else { Named::Elsewhere };
    match (etcd, endpoint) {
        (Some(ValueSource::CommandLine), Some(ValueSource::CommandLine)) => {
            Err(usage("--etcd and --endpoint are two ways to the same limits; give one of them"))
        }
        (Some(etcd), endpoint) if Some(etcd) >= endpoint => Ok(Way::Etcd(named(etcd))),
        (_, endpoint) => Ok(Way::Node(endpoint.map_or(Named::Elsewhere, named))),
    }
}

impl StoreArgs {
    /// Whether the command line says where the policies are.
    pub(crate) fn is_named_by_flag(&self) -> bool {
        matches!(self.way, Way::Etcd(Named::ByFlag) | Way::Node(Named::ByFlag))
    }

    /// The cluster whose policies are in etcd.
    pub(crate) const fn cluster(&self) -> &ClusterName {
        self.etcd.cluster()
    }

    /// Runs one conversation with whatever has the policies.
    ///
    /// # Errors
    /// Those of `talk`, wrong usage, and sentences about why nobody answers.
    pub(crate) fn run<T>(&self, talk: impl AsyncFnOnce(PolicyStore<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        match self.way {
            Way::Etcd(_) => connection::block_on(async { talk(PolicyStore::Etcd(self.open_etcd().await?)).await }),
            Way::Node(named) => {
                if named == Named::Elsewhere && !self.etcd.is_given() {
                    self.etcd.refuse_strays()?;
                }
                self.connection.run(async |node| talk(PolicyStore::Node(node)).await)
            }
        }
    }

    async fn open_etcd(&self) -> anyhow::Result<EtcdPolicies> {
        let (coordination, keys, timeout) = (self.etcd.open().await?, self.etcd.keys(), self.connection.timeout());
        let editor = PolicyEditor::new(coordination.clone(), keys.clone(), timeout.nanos().into());
        Ok(EtcdPolicies { editor, coordination, keys, urls: self.etcd.urls(), timeout })
    }
}

#[cfg(test)]
mod tests {
    use ValueSource::{CommandLine, DefaultValue, EnvVariable};

    use super::*;

    #[test]
    fn the_stronger_source_decides_and_etcd_goes_first_among_equals() {
        let by_flag = [
            ((Some(CommandLine), Some(EnvVariable)), Way::Etcd(Named::ByFlag)),
            ((Some(CommandLine), Some(DefaultValue)), Way::Etcd(Named::ByFlag)),
            ((Some(EnvVariable), Some(CommandLine)), Way::Node(Named::ByFlag)),
            ((Some(DefaultValue), Some(CommandLine)), Way::Node(Named::ByFlag)),
            ((None, Some(CommandLine)), Way::Node(Named::ByFlag)),
        ];
        let elsewhere = [
            ((Some(EnvVariable), Some(EnvVariable)), Way::Etcd(Named::Elsewhere)),
            ((Some(EnvVariable), Some(DefaultValue)), Way::Etcd(Named::Elsewhere)),
            ((Some(DefaultValue), Some(DefaultValue)), Way::Etcd(Named::Elsewhere)),
            ((Some(DefaultValue), Some(EnvVariable)), Way::Node(Named::Elsewhere)),
            ((None, Some(DefaultValue)), Way::Node(Named::Elsewhere)),
        ];
        for ((etcd, endpoint), expected) in by_flag.into_iter().chain(elsewhere) {
            assert_eq!(way(etcd, endpoint).unwrap(), expected, "{etcd:?} {endpoint:?}");
        }
        assert!(way(Some(CommandLine), Some(CommandLine)).is_err());
    }
}
