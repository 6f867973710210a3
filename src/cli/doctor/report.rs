//! What the doctor found: how far each transport came, and what to do where it stopped.

use serde::Serialize;

use crate::cli::output::Row;
use crate::cli::{Exit, Failure};
use crate::domain::Reason;
use crate::domain::Transport;

/// What an export has to pass, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    /// The token has the form of one.
    Token,
    /// The endpoint's name is known.
    Name,
    /// Somebody listens.
    Connect,
    /// Both can speak in confidence, or do not want to.
    Tls,
    /// The port serves the transport.
    Port,
    /// The path is one of exports.
    Path,
    /// The key is known and good.
    Key,
    /// The key is one of this endpoint's environment.
    Environment,
    /// The key may send traces, from here.
    Permission,
    /// There is room for another export.
    Limit,
    /// The span is stored.
    Span,
}

impl Stage {
    /// What is judged by the answer to the export, in the order in which a gate judges.
    pub(super) const OF_THE_ANSWER: [Self; 7] =
        [Self::Port, Self::Path, Self::Key, Self::Environment, Self::Permission, Self::Limit, Self::Span];

    /// Whether the admin API knows more about it.
    pub(super) const fn is_of_the_key(self) -> bool {
        matches!(self, Self::Token | Self::Key | Self::Environment | Self::Permission)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Name => "name",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Port => "port",
            Self::Path => "path",
            Self::Key => "key",
            Self::Environment => "environment",
            Self::Permission => "permission",
            Self::Limit => "limit",
            Self::Span => "span",
        }
    }
}

/// Where an examination ended, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stop {
    pub(super) stage: Stage,
    pub(super) exit: Exit,
    /// What is wrong.
    pub(super) detail: String,
    /// What to do about it.
    pub(super) advice: String,
    /// What the gate called it.
    pub(super) reason: Option<Reason>,
}

impl Stop {
    pub(super) fn new(stage: Stage, exit: Exit, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { stage, exit, detail: detail.into(), advice: advice.into(), reason: None }
    }
}

/// One stage of one transport.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Line {
    /// None of what comes before both.
    transport: Option<&'static str>,
    stage: Stage,
    result: Result,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Result {
    Ok,
    Stopped,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &["TRANSPORT", "STAGE", "RESULT", "DETAIL"];

    fn values(&self) -> Vec<String> {
        let result = match self.result {
            Result::Ok => "ok",
            Result::Stopped => "STOPPED",
        };
        let transport = self.transport.unwrap_or("both");
        vec![transport.to_owned(), self.stage.as_str().to_owned(), result.to_owned(), self.detail.clone()]
    }
}

/// How far one transport came.
#[derive(Debug)]
pub(super) struct Trail {
    /// `None`: what comes before both.
    transport: Option<Transport>,
    lines: Vec<Line>,
    stop: Option<Stop>,
}

impl Trail {
    pub(super) const fn new(transport: Option<Transport>) -> Self {
        Self { transport, lines: Vec::new(), stop: None }
    }

    pub(super) fn passed(&mut self, stage: Stage, detail: impl Into<String>) {
        self.line(stage, Result::Ok, detail.into());
    }

    pub(super) fn stopped(&mut self, stop: Stop) {
        // What looked well may turn out not to be.
        self.lines.retain(|line| line.stage < stop.stage);
        self.line(stop.stage, Result::Stopped, stop.detail.clone());
        self.stop = Some(stop);
    }

    fn line(&mut self, stage: Stage, result: Result, detail: String) {
        self.lines.push(Line { transport: self.transport.map(Transport::as_str), stage, result, detail });
    }
}

/// What was found by all examinations.
#[derive(Debug)]
pub(super) struct Report {
    trails: Vec<Trail>,
    /// One endpoint was tried over both transports, of which a port usually serves one.
    either: bool,
}

impl Report {
    pub(super) const fn new(either: bool) -> Self {
        Self { trails: Vec::new(), either }
    }

    pub(super) fn add(&mut self, trail: Trail) {
        self.trails.push(trail);
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        self.trails.iter().flat_map(|trail| trail.lines.clone()).collect()
    }

    /// What keeps telemetry from arriving; `None`: nothing.
    pub(super) fn stop(&self) -> Option<(Option<Transport>, &Stop)> {
        let arrived = self.trails.iter().any(|trail| trail.transport.is_some() && trail.stop.is_none());
        let stops = || self.trails.iter().filter_map(|trail| Some((trail.transport, trail.stop.as_ref()?)));
        let past = |(_, stop): &(_, &Stop)| stop.stage != Stage::Port;
        // Who is at the wrong port with one transport is at the right one with the other.
        stops().find(past).or_else(|| stops().find(|_| !(self.either && arrived)))
    }

    /// The transports that this port does not serve although all else is well.
    pub(super) fn elsewhere(&self) -> impl Iterator<Item = Transport> {
        let well = self.stop().is_none();
        self.trails.iter().filter(move |trail| well && trail.stop.is_some()).filter_map(|trail| trail.transport)
    }

    /// The end of the command where something was found.
    pub(super) fn failure(&self) -> Option<Failure> {
        let (transport, stop) = self.stop()?;
        let over = transport.map_or_else(String::new, |transport| format!(" over {}", name(transport)));
        let line = format!("stopped at {}{over}: {}", stop.stage.as_str(), stop.detail);
        Some(Failure::new(stop.exit, line).hint(stop.advice.clone()))
    }
}

/// The transport as people call it.
pub(super) const fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Grpc => "OTLP/gRPC",
        Transport::Http => "OTLP/HTTP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(transport: Transport, stage: Option<Stage>) -> Trail {
        let mut trail = Trail::new(Some(transport));
        if let Some(stage) = stage {
            trail.stopped(Stop::new(stage, Exit::Refused, "", ""));
        }
        trail
    }

    #[test]
    fn one_endpoint_need_not_serve_both_transports() {
        let stop = |either, grpc, http| {
            let trails = vec![trail(Transport::Grpc, grpc), trail(Transport::Http, http)];
            let report = Report { trails, either };
            report.stop().map(|(transport, stop)| (transport, stop.stage))
        };
        let (port, key) = (Some(Stage::Port), Some(Stage::Key));
        assert_eq!(stop(true, None, None), None);
        assert_eq!(stop(true, port, None), None);
        assert_eq!(stop(false, port, None), Some((Some(Transport::Grpc), Stage::Port)));
        assert_eq!(stop(true, port, key), Some((Some(Transport::Http), Stage::Key)));
        assert_eq!(stop(true, port, port), Some((Some(Transport::Grpc), Stage::Port)));
        assert_eq!(stop(true, key, None), Some((Some(Transport::Grpc), Stage::Key)));
    }
}
