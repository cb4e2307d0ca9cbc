//! `desk inbox`: operates an inbox while receiver and workers run.

mod arguments;
mod personal;
mod selection;
mod shown;

use std::process::ExitCode;

use serde_json::{Value, json};
use tencent_desk_webhook::inbox::{Filter, Inbox, InboxError};

pub(crate) use self::arguments::InboxArgs;
use self::{
    arguments::{Action, Which},
    selection::{Selection, State},
    shown::Shown,
};
use crate::{
    age::Age,
    cli::Common,
    failure::{Failure, exit},
    output::{Colour, Output},
    quiet,
};

impl From<InboxError> for Failure {
    fn from(error: InboxError) -> Self {
        Self::Failed(error.to_string())
    }
}

pub(crate) async fn run(common: &Common, args: InboxArgs, output: &Output) -> Result<ExitCode, Failure> {
    quiet::start();
    let place = args.at.ok_or_else(|| Failure::Usage("--at or DESK_INBOX: name the inbox".to_owned()))?;
    let inbox = if place.contains("://") {
        Inbox::operate_in(&place, &args.schema).await?
    } else {
        Inbox::operate(&place).await?
    };
    let operator = Operator { inbox, app: common.app(), named_app: common.named_app(), output };
    operator.act(args.action).await
}

struct Operator<'o> {
    inbox: Inbox,
    app: u64,
    named_app: Option<u64>,
    output: &'o Output,
}

impl Operator<'_> {
    async fn act(&self, action: Action) -> Result<ExitCode, Failure> {
        match action {
            Action::Stats => self.stats().await?,
            Action::List { selection, state, limit, after, reveal } => {
                let filter = self.filter(&selection)?;
                let events = self.list(&filter, &state, after, limit).await?;
                self.print(&events, reveal, limit);
            }
            Action::Show { id, reveal } => return self.show(id, reveal).await,
            Action::Requeue(which) => return self.requeue(which).await,
            Action::Discard(which) => return self.discard(which).await,
            Action::Retry { all, selection } => {
                if !all && !selection.selects() {
                    return Err(Failure::Usage("name a session or another condition, or --all".to_owned()));
                }
                self.report("sessions go on", self.inbox.retry_all_now(&self.filter(&selection)?).await?);
            }
            Action::Purge { older_than: Age(age) } => {
                self.report("dead letters deleted", self.inbox.purge(age).await?);
            }
            Action::Forget { user, session } => {
                let forgotten = match (user, session) {
                    (Some(user), _) => self.inbox.forget_user(self.app, &user).await?,
                    (None, session) => {
                        self.inbox.forget_session(self.app, &session.unwrap_or_default()).await?
                    }
                };
                self.report("events deleted", forgotten);
            }
            Action::Pause => {
                self.inbox.pause().await?;
                self.done("paused", "delivery is paused");
            }
            Action::Resume => {
                self.inbox.resume().await?;
                self.done("resumed", "delivery is resumed");
            }
            Action::Check => {
                self.inbox.check().await?;
                self.done("ok", "an event could be stored now");
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn filter(&self, selection: &Selection) -> Result<Filter, Failure> {
        selection.filter(self.app, self.named_app)
    }

    async fn stats(&self) -> Result<(), Failure> {
        let stats = self.inbox.stats().await?;
        let oldest = stats.oldest.map(|age| age.as_secs_f64());
        if self.output.json {
            self.output.value(&json!({
                "waiting": stats.waiting, "running": stats.running, "retrying": stats.retrying, "dead": stats.dead,
                "bytes": stats.bytes, "oldest_seconds": oldest, "paused": stats.paused,
            }));
            return Ok(());
        }
        for (name, count) in
            [("waiting", stats.waiting), ("running", stats.running), ("retrying", stats.retrying)]
        {
            self.output.line(&format!("{name:<9} {count}"));
        }
        let colour = if stats.dead == 0 { Colour::Green } else { Colour::Red };
        self.output.line(&format!("dead      {}", self.output.paint(colour, &stats.dead.to_string())));
        self.output.line(&format!("bytes     {}", stats.bytes));
        if let Some(oldest) = stats.oldest {
            self.output.line(&format!("oldest    {} old", shown::age(oldest)));
        }
        if stats.paused {
            self.output.line(&self.output.paint(Colour::Yellow, "delivery is paused"));
        }
        Ok(())
    }

    /// A page of events in any of `states`, in the order of their numbers.
    async fn list(
        &self,
        filter: &Filter,
        states: &[State],
        after: i64,
        limit: usize,
    ) -> Result<Vec<Shown>, Failure> {
        let wants = |state: State| states.is_empty() || states.contains(&state);
        let mut found = Vec::new();
        if [State::Waiting, State::Running, State::Retrying].into_iter().any(wants) {
            let mut last = after;
            while found.len() < limit {
                let page = self.inbox.pending(&filter.clone().page(last, PAGE)).await?;
                let Some(end) = page.last() else { break };
                last = end.id;
                found.extend(page.into_iter().map(Shown::pending).filter(|event| wants(event.state)));
            }
            found.truncate(limit);
        }
        if wants(State::Dead) {
            let mut dead = Vec::new();
            let mut last = after;
            while dead.len() < limit {
                let page = self.inbox.dead_letters_matching(&filter.clone().page(last, PAGE)).await?;
                let Some(end) = page.last() else { break };
                last = end.id;
                dead.extend(page.into_iter().map(Shown::dead));
            }
            found.extend(dead);
        }
        found.sort_by_key(|event| event.id);
        found.truncate(limit);
        Ok(found)
    }

    fn print(&self, events: &[Shown], reveal: bool, limit: usize) {
        if self.output.json {
            let events: Vec<Value> = events.iter().map(|event| event.json(reveal)).collect();
            self.output.value(&events.into());
            return;
        }
        for event in events {
            self.output.line(&event.line(reveal, self.output));
        }
        if let Some(last) = events.last().filter(|_| events.len() == limit) {
            self.output.remark(&format!("there may be more: --after {}", last.id));
        }
    }

    async fn show(&self, id: i64, reveal: bool) -> Result<ExitCode, Failure> {
        let found = self.list(&Filter::all(), &[], id.saturating_sub(1), 1).await?;
        let Some(event) = found.into_iter().find(|event| event.id == id) else {
            return Err(Failure::Failed(format!("there is no event with the number {id}")));
        };
        if self.output.json {
            self.output.value(&event.json(reveal));
            return Ok(ExitCode::SUCCESS);
        }
        for line in event.lines(reveal) {
            self.output.line(&line);
        }
        if !reveal {
            self.output.remark("users, agents and what they wrote are hidden without --reveal");
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn requeue(&self, which: Which) -> Result<ExitCode, Failure> {
        if which.all {
            self.report(
                "dead letters requeued",
                self.inbox.requeue_all(&self.filter(&which.selection)?).await?,
            );
            return Ok(ExitCode::SUCCESS);
        }
        which.selection.refuse_with_ids()?;
        let mut requeued = 0;
        for id in &which.ids {
            match self.inbox.requeue(*id).await? {
                true => requeued += 1,
                false => self.output.warn(&format!("there is no dead letter with the number {id}")),
            }
        }
        self.report("dead letters requeued", requeued);
        Ok(exit(requeued == which.ids.len() as u64))
    }

    async fn discard(&self, which: Which) -> Result<ExitCode, Failure> {
        let mut ids = which.ids;
        if which.all {
            let filter = self.filter(&which.selection)?;
            let mut last = 0;
            loop {
                let page = self.inbox.dead_letters_matching(&filter.clone().page(last, PAGE)).await?;
                let Some(end) = page.last() else { break };
                last = end.id;
                ids.extend(page.iter().map(|letter| letter.id));
            }
        } else {
            which.selection.refuse_with_ids()?;
        }
        let mut discarded = 0;
        for id in &ids {
            match self.inbox.discard(*id).await? {
                true => discarded += 1,
                false if which.all => {} // another operator was faster
                false => self.output.warn(&format!("there is no event with the number {id}")),
            }
        }
        self.report("events deleted", discarded);
        Ok(exit(which.all || discarded == ids.len() as u64))
    }

    fn report(&self, what: &str, count: u64) {
        if self.output.json {
            self.output.value(&json!({"count": count}));
        } else {
            self.output.line(&format!("{count} {what}"));
        }
    }

    fn done(&self, word: &str, sentence: &str) {
        if self.output.json {
            self.output.value(&json!({word: true}));
        } else {
            self.output.line(sentence);
        }
    }
}

/// How many events are read at once.
const PAGE: usize = 500;
