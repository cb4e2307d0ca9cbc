//! Requests for a decision: they are printed like events, and no decision is made.

use std::sync::Arc;

use serde::Serialize as _;
use serde_json::{Map, Value, json};
use tencent_desk_webhook::{
    async_trait,
    decision::{
        AssignAgent, Assignment, Contact, ContactUser, Decision, Invocation, Invoked, Request, Responder,
    },
};

use crate::{
    forward::Forward,
    output::{Colour, Output},
    text::{printable, shortened},
};

pub(crate) struct Asked {
    pub(crate) output: Output,
    pub(crate) forward: Option<Arc<Forward>>,
}

impl Asked {
    async fn report<T>(&self, request: &Request, of: Option<&str>) -> Decision<T> {
        if self.output.json {
            let fields = request.serialize(serde_json::value::Serializer).unwrap_or_default();
            self.output.value(&json!({"asked": fields}));
        } else {
            let of =
                of.map(|id| format!(" {}", self.output.paint(Colour::Cyan, &printable(&shortened(id, 40)))));
            let command = printable(&shortened(&request.command, 80));
            self.output.line(&format!("asked{} {command}: no decision", of.unwrap_or_default()));
        }
        if let Some(forward) = &self.forward {
            forward.pass_on(request.into(), &request.command, of.unwrap_or_default()).await;
        }
        Ok(None)
    }
}

#[async_trait]
impl Responder for Asked {
    async fn assign_agent(&self, request: &Request, asked: &AssignAgent) -> Decision<Assignment> {
        self.report(request, asked.session_id.as_deref()).await
    }

    async fn invoke(&self, request: &Request, invocation: &Invocation) -> Decision<Invoked> {
        self.report(request, invocation.session_id()).await
    }

    async fn contact_user(&self, request: &Request, asked: &ContactUser) -> Decision<Contact> {
        self.report(request, asked.client_user_id.as_deref()).await
    }

    async fn other(&self, request: &Request) -> Decision<Map<String, Value>> {
        self.report(request, None).await
    }
}
