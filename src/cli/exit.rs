//! How commands end.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: what was asked for is done.
    Done,
    /// 1: the server refused it for a reason without a code of its own, or the person at the terminal did not confirm it.
    Refused,
    /// 2: the command line or its environment is not as it must be. Nothing was sent.
    Usage,
    /// 3: the server could not be reached, did not answer in time, is not available, or asks to wait. Unless the message says
    /// otherwise it is not known whether a change was made.
    Unreachable,
    /// 4: the server failed, its answer is not understood, or the output could not be written.
    Failed,
    /// 5: there is no such thing, or none that the admin key may see.
    Missing,
    /// 6: what there is does not allow it, or was changed by somebody else meanwhile.
    Conflict,
    /// 7: the admin key is not accepted, or lacks the permission.
    Denied,
}

impl Exit {
    /// Every way to end.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Refused,
        Self::Usage,
        Self::Unreachable,
        Self::Failed,
        Self::Missing,
        Self::Conflict,
        Self::Denied,
    ];

    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Failed => 4,
            Self::Missing => 5,
            Self::Conflict => 6,
            Self::Denied => 7,
        }
    }

    /// What the exit code means, in words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused by the server, or not confirmed",
            Self::Usage => "the command line or its environment is not as it must be; nothing was sent",
            Self::Unreachable => "the server cannot be reached, is not available or asks to wait; try again later",
            Self::Failed => "the server failed, its answer is not understood, or the output could not be written",
            Self::Missing => "there is no such thing, or none that the admin key may see",
            Self::Conflict => "what there is does not allow it, or was changed by somebody else meanwhile",
            Self::Denied => "the admin key is not accepted, or lacks the permission",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Every exit code in one paragraph.
pub(super) fn codes() -> String {
    let codes: Vec<_> = Exit::ALL.iter().map(|exit| format!("{} {}", exit.code(), exit.meaning())).collect();
    format!("Exit codes: {}", codes.join("; "))
}

/// Why a command did not do what was asked for.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// Lines for the person: what is wrong, then what to do about it.
    pub(super) lines: Vec<String>,
    /// The code of the admin API's problem, where it is one.
    pub(super) code: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self { exit, lines: vec![line.into()], code: None }
    }

    pub(super) fn hint(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Whether the admin API answered with the problem `code`.
    pub(super) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("cannot write the output: {error}"))
    }
}
