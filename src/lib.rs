#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod webhook;

pub mod handler;

pub mod event;

mod error;

mod report;

#[cfg(feature = "axum")]
#[path = "../adapters/axum.rs"]
mod axum;

#[cfg(feature = "actix-web")]
#[path = "../adapters/actix_web.rs"]
mod actix_web;

#[cfg(feature = "hyper")]
#[path = "../adapters/hyper.rs"]
mod hyper;

#[cfg(feature = "tower")]
#[path = "../adapters/tower.rs"]
mod tower;

pub use async_trait::async_trait;

pub use self::{
    error::Refusal,
    event::Event,
    handler::{EventHandler, HandlerError, HandlerResult},
    webhook::{Verifier, Webhook},
};
