//! The measured servers. Each runs on one thread (actix-web on one worker) and sets `TCP_NODELAY`.

mod hyper_constant;

mod hyper_door;

mod axum_by_hand;

mod axum_door;

mod actix_by_hand;

mod actix_door;

mod slack_morphism;

mod cloudevents;

mod by_hand;

mod handler;

mod serving;

use std::{io, process, thread, time::Duration};

use tokio::runtime;

use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    HyperConstant,
    HyperDoor,
    SlackMorphism,
    AxumDoor,
    AxumByHand,
    ActixByHand,
    ActixDoor,
    CloudEvents,
}

impl Server {
    /// In the order of a round, with compared servers next to each other where possible.
    pub(crate) const ALL: [Self; 8] = [
        Self::HyperConstant,
        Self::HyperDoor,
        Self::SlackMorphism,
        Self::AxumDoor,
        Self::AxumByHand,
        Self::ActixByHand,
        Self::ActixDoor,
        Self::CloudEvents,
    ];

    /// The name of its file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HyperConstant => "hyper_constant",
            Self::HyperDoor => "hyper_door",
            Self::SlackMorphism => "slack_morphism",
            Self::AxumDoor => "axum_door",
            Self::AxumByHand => "axum_by_hand",
            Self::ActixByHand => "actix_by_hand",
            Self::ActixDoor => "actix_door",
            Self::CloudEvents => "cloudevents",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|server| server.name() == name);
        known.ok_or_else(|| format!("there is no server {name}").into())
    }

    /// Prints its address and serves until standard input ends, so that no server outlives its parent process.
    pub(crate) fn serve(self, delay: Duration) -> Result<()> {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            process::exit(0)
        });
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            match self {
                Self::HyperConstant => hyper_constant::serve(delay).await,
                Self::HyperDoor => hyper_door::serve(delay).await,
                Self::SlackMorphism => slack_morphism::serve(delay).await,
                Self::AxumDoor => axum_door::serve(delay).await,
                Self::AxumByHand => axum_by_hand::serve(delay).await,
                Self::ActixByHand => actix_by_hand::serve(delay).await,
                Self::ActixDoor => actix_door::serve(delay).await,
                Self::CloudEvents => cloudevents::serve(delay).await,
            }
        })
    }
}
