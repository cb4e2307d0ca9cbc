//! Steps of the bot's task flows.
//!
//! Field names: the vendor's page on the callback `Chatbot.TaskFlowEventNotify` (product 269, document 137528), as far as it could be
//! read. `TaskBegin` is the only step whose name is known; [`Event::name`](super::Event::name) keeps any other.

use super::wire::object;

/// The bot has taken a step of a task flow.
///
/// The vendor advises to recognize and to sort steps by `ExecutionId` and `Seq`, and so does
/// [`Event::dedup_key`](super::Event::dedup_key).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskFlow {
    /// `ExecutionId`: one run of the task.
    pub execution_id: Option<String>,
    /// `Seq`: the number of the step within its execution, from 1.
    pub seq: Option<u64>,
    /// `TaskId`. A number in the vendor's sample.
    pub task_id: Option<String>,
    /// `TaskName`.
    pub task_name: Option<String>,
    /// `Env`, such as `production`.
    pub env: Option<String>,
    /// `RobotId`, such as `@RBT#DeskDefaultRobot`.
    pub robot_id: Option<String>,
    /// `NodeId`: the node of this step.
    pub node_id: Option<String>,
    /// `NodeName`.
    pub node_name: Option<String>,
    /// `NextNodeId`: the node of the next step.
    pub next_node_id: Option<String>,
}

object! {
    TaskFlow {
        "ExecutionId" => execution_id: Id,
        "Seq" => seq,
        "TaskId" => task_id: Id,
        "TaskName" => task_name: Text,
        "Env" => env: Text,
        "RobotId" => robot_id: Id,
        "NodeId" => node_id: Id,
        "NodeName" => node_name: Text,
        "NextNodeId" => next_node_id: Id,
    }
}
