/// Which events are delivered one after another, in the order in which they were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderKey {
    /// Those of a session.
    #[default]
    Session,
    /// Those of a user, by `ClientUserId`, in all sessions. An event without one is ordered by its session.
    User,
    /// Those of a user in a session.
    SessionAndUser,
}
