//! From a job's kind to what runs it.

use crate::app::{App, Cx};
use crate::caller::Caller;
use crate::queue::{Job, JobError};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type UseCase = Box<dyn Fn(&mut Cx<'_>, &str) -> Result<(), JobError> + Send + Sync>;
type Running = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Network = Box<dyn Fn(Arc<App>, Job) -> Running + Send + Sync>;

/// Beside what a use case may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Beside anything.
    Any,
    /// One at a time in each tenant: for what would lose races with itself.
    Alone,
    /// One at a time with all that issues papers: numbers without gaps come from one row.
    Numbered,
}

/// What runs one kind of job.
pub enum Runnable {
    /// A use case, in the commit that deletes the job.
    UseCase(Turn, UseCase),
    /// An async runner, between transactions.
    Network(Network),
}

/// What runs which kind.
#[derive(Default)]
pub struct Table(HashMap<&'static str, Runnable>);

impl Table {
    /// `kind` runs `use_case` on the job's payload, as the house, in the job's tenant.
    #[must_use]
    pub fn job<P, E>(
        self,
        kind: &'static str,
        use_case: fn(&mut Cx<'_>, &P) -> Result<(), E>,
    ) -> Self
    where
        P: DeserializeOwned + 'static,
        E: Into<JobError> + 'static,
    {
        self.job_in(Turn::Any, kind, use_case)
    }

    /// As [`Table::job`], in its turn.
    #[must_use]
    pub fn job_in<P, E>(
        mut self,
        turn: Turn,
        kind: &'static str,
        use_case: fn(&mut Cx<'_>, &P) -> Result<(), E>,
    ) -> Self
    where
        P: DeserializeOwned + 'static,
        E: Into<JobError> + 'static,
    {
        let run = move |cx: &mut Cx<'_>, payload: &str| {
            let payload: P = serde_json::from_str(payload).map_err(JobError::fail)?;
            use_case(cx, &payload).map_err(Into::into)
        };
        self.0.insert(kind, Runnable::UseCase(turn, Box::new(run)));
        self
    }

    /// `kind` runs `runner`, which may use the network and its own transactions. It may run twice.
    #[must_use]
    pub fn network<P, F>(mut self, kind: &'static str, runner: fn(Arc<App>, Caller, P) -> F) -> Self
    where
        P: DeserializeOwned + Send + 'static,
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let run = move |app: Arc<App>, job: Job| -> Running {
            Box::pin(async move {
                let payload: P = serde_json::from_str(&job.payload).map_err(JobError::fail)?;
                runner(app, Caller::system(job.tenant), payload).await
            })
        };
        self.0.insert(kind, Runnable::Network(Box::new(run)));
        self
    }

    /// What runs `kind`, if anything does.
    pub fn find(&self, kind: &str) -> Option<&Runnable> {
        self.0.get(kind)
    }
}
