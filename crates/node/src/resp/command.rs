//! What a command is, by name and arguments. Checks are planned, `DEL` ends the run, everything else is answered on the spot. An error
//! is one command's own: its neighbours do not notice.

use std::ops::Range;

use drl_core::caps::RESP_REPLY_BYTES_MAX;
use drl_core::{ClientId, Cost};

use crate::resp::door::Shared;
use crate::resp::parse::{Parsed, ProtocolError, parse, parse_integer};
use crate::resp::run::{Check, Form};
use crate::resp::session::Session;
use crate::resp::throttle::ThrottleError;
use crate::resp::transaction::Transaction;
use crate::resp::workspace::Workspace;

/// Why planning stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Everything complete was planned; more bytes are needed.
    Empty,
    /// The run is as long as a run may be.
    Full,
    /// A `DEL` is next; the workspace's arguments are its own.
    Delete,
    /// An `EXEC` is next; the session's transaction is what it executes.
    Execute,
    /// The connection ends after these replies, which the client asked for.
    Quit,
    /// The connection ends after these replies, because the bytes are not RESP.
    Garbage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Throttle,
    Allow,
    Check,
    Del,
    Ping,
    Echo,
    Hello,
    Auth,
    Command,
    Info,
    Client,
    Select,
    Config,
    Quit,
    Reset,
    Multi,
    Exec,
    Discard,
}

/// Every command, the frequent ones first.
pub(crate) const NAMES: [(&str, Name); 19] = [
    ("cl.throttle", Name::Throttle),
    ("drl.allow", Name::Allow),
    ("drl.check", Name::Check),
    ("ping", Name::Ping),
    ("del", Name::Del),
    ("unlink", Name::Del),
    ("echo", Name::Echo),
    ("hello", Name::Hello),
    ("auth", Name::Auth),
    ("command", Name::Command),
    ("info", Name::Info),
    ("client", Name::Client),
    ("select", Name::Select),
    ("config", Name::Config),
    ("quit", Name::Quit),
    ("reset", Name::Reset),
    ("multi", Name::Multi),
    ("exec", Name::Exec),
    ("discard", Name::Discard),
];

/// Plans commands from the workspace's input until something stops it.
pub(crate) fn plan(workspace: &mut Workspace, session: &mut Session, shared: &Shared, commands_max: usize) -> Pause {
    workspace.run.clear();
    workspace.throttles.trim();
    loop {
        if workspace.run.commands() >= commands_max || workspace.run.said.len() >= RESP_REPLY_BYTES_MAX {
            return Pause::Full;
        }
        let Workspace { input, arguments, .. } = workspace;
        match parse(input.bytes(), input.start(), arguments) {
            Ok(Parsed::Half) if input.is_full() => {
                return garbage(workspace, &ProtocolError::CommandLength);
            }
            Ok(Parsed::Half) => return Pause::Empty,
            Ok(Parsed::Whole { next }) => {
                let whole = input.start()..next;
                input.advance(next);
                if let Some(pause) = interpret(workspace, session, shared, whole) {
                    return pause;
                }
            }
            Err(error) => return garbage(workspace, &error),
        }
    }
}

fn garbage(workspace: &mut Workspace, error: &ProtocolError) -> Pause {
    workspace.run.said.error(&format!("ERR {error}"));
    workspace.run.push_said();
    Pause::Garbage
}

/// Plans or answers the command in the workspace's arguments, which is the bytes `whole` of the input; in a transaction, queues it.
fn interpret(workspace: &mut Workspace, session: &mut Session, shared: &Shared, whole: Range<usize>) -> Option<Pause> {
    let word = workspace.arguments.first()?.of(workspace.input.bytes());
    let Some(&(text, name)) = NAMES.iter().find(|(text, _)| word.eq_ignore_ascii_case(text.as_bytes())) else {
        let word = word.get(..128).unwrap_or(word).escape_ascii().to_string();
        session.transaction.iter_mut().for_each(Transaction::spoil);
        say_error(workspace, &format!("ERR unknown command '{word}'"));
        return None;
    };
    if let Some(transaction) = session.transaction.as_mut()
        && !matches!(name, Name::Multi | Name::Exec | Name::Discard | Name::Quit | Name::Reset)
    {
        queue(workspace, transaction, whole);
        return None;
    }
    let planned = match name {
        Name::Throttle => throttle(workspace, shared),
        Name::Allow => check(workspace, text, Form::Allow),
        Name::Check => check(workspace, text, Form::Check),
        Name::Del if workspace.arguments.len() > 1 => return Some(Pause::Delete),
        Name::Exec if workspace.arguments.len() == 1 && session.transaction.is_some() => return Some(Pause::Execute),
        Name::Exec if workspace.arguments.len() == 1 => Err("ERR EXEC without MULTI".to_owned()),
        Name::Del | Name::Exec => Err(wrong_arity(text)),
        _ => {
            let Workspace { input, arguments, run, .. } = workspace;
            let arguments: Vec<&[u8]> = arguments[1..].iter().map(|span| span.of(input.bytes())).collect();
            if let Err(error) = session.answer((text, name), &arguments, shared, &mut run.said) {
                run.said.error(&error);
            }
            run.push_said();
            return (name == Name::Quit).then_some(Pause::Quit);
        }
    };
    match planned {
        Ok(check) => workspace.run.push_check(check),
        Err(error) => say_error(workspace, &error),
    }
    None
}

fn queue(workspace: &mut Workspace, transaction: &mut Transaction, whole: Range<usize>) {
    let Workspace { input, run, .. } = workspace;
    match transaction.queue(input.bytes().get(whole).unwrap_or_default()) {
        Ok(()) => run.said.simple("QUEUED"),
        Err(full) => run.said.error(&full.to_string()),
    }
    run.push_said();
}

fn say_error(workspace: &mut Workspace, error: &str) {
    workspace.run.said.error(error);
    workspace.run.push_said();
}

pub(crate) fn wrong_arity(command: &str) -> String {
    format!("ERR wrong number of arguments for '{command}' command")
}

/// `CL.THROTTLE`: a key and the numbers of its limit.
fn throttle(workspace: &mut Workspace, shared: &Shared) -> Result<Check, String> {
    let Workspace { input, arguments, throttles, .. } = workspace;
    let [_, key, numbers @ ..] = &arguments[..] else {
        return Err(ThrottleError::Usage.to_string());
    };
    let numbers = numbers.iter().map(|span| span.of(input.bytes()));
    let throttle = throttles.read(numbers, shared.durability).map_err(|error| error.to_string())?;
    ClientId::new(key.of(input.bytes())).map_err(|error| format!("ERR key: {error}"))?;
    Ok(Check { key: *key, cost: throttle.cost, form: Form::Throttle(throttle.policy) })
}

/// `DRL.ALLOW` and `DRL.CHECK`: a client and, if not 1, a cost.
fn check(workspace: &Workspace, command: &str, form: Form) -> Result<Check, String> {
    let input = workspace.input.bytes();
    let (key, cost) = match workspace.arguments[..] {
        [_, key] => (key, Cost::ONE),
        [_, key, cost] => (key, parse_cost(cost.of(input))?),
        _ => return Err(wrong_arity(command)),
    };
    ClientId::new(key.of(input)).map_err(|error| format!("ERR {error}"))?;
    Ok(Check { key, cost, form })
}

fn parse_cost(text: &[u8]) -> Result<Cost, String> {
    let units = parse_integer(text)
        .ok_or_else(|| format!("ERR cost '{}' is not an integer", text.get(..64).unwrap_or(text).escape_ascii()))?;
    Cost::new(units).map_err(|error| format!("ERR {error}"))
}
