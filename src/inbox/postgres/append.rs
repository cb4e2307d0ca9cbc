//! Stores events.

use std::collections::HashSet;

use super::{
    connection::Connection,
    session::{Ending, Step},
};
use crate::inbox::{
    InboxError,
    store::{Appended, NewEvent},
};

/// Creates the lanes that do not exist, and locks all of them. The update changes nothing: it locks. Lanes are sorted, as
/// wherever several are locked, so that transactions never wait for each other in a ring.
pub(super) const LOCK_LANES: &str = "
    INSERT INTO lane (lane) SELECT DISTINCT new.lane FROM unnest($1::bytea[]) AS new (lane) ORDER BY new.lane
    ON CONFLICT (lane) DO UPDATE SET lane = excluded.lane";

const STORE: &str = "
    WITH new AS (
        SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[])
        WITH ORDINALITY AS new (lane, key, request, json, place)
    ), remembered AS (
        INSERT INTO seen (key, request) SELECT key, request FROM new ORDER BY place
        ON CONFLICT DO NOTHING RETURNING id, key
    ), stored AS (
        INSERT INTO event (id, lane, json) SELECT id, lane, json FROM remembered JOIN new USING (key)
    )
    SELECT key FROM remembered";

pub(super) async fn append(
    connection: &Connection,
    events: Vec<NewEvent>,
) -> Result<Vec<Appended>, InboxError> {
    // The statement returns the keys of the events that it has stored, so each key is sent once.
    let mut keys = HashSet::new();
    let fresh: Vec<&NewEvent> = events.iter().filter(|event| keys.insert(event.key)).collect();
    let lanes: Vec<&[u8]> = fresh.iter().map(|event| &event.lane.0[..]).collect();
    let keys: Vec<&[u8]> = fresh.iter().map(|event| &event.key.as_bytes()[..]).collect();
    let requests: Vec<Option<&[u8]>> =
        fresh.iter().map(|event| event.request.as_ref().map(|request| &request.0[..])).collect();
    let json: Vec<&[u8]> = fresh.iter().map(|event| event.json.as_bytes()).collect();
    let steps: [Step<'_>; 2] = [(LOCK_LANES, &[&lanes]), (STORE, &[&lanes, &keys, &requests, &json])];
    let stored = connection.change(&steps).await?.pop().unwrap_or_default();
    let mut stored: HashSet<&[u8]> = stored.iter().map(|row| row.get(0)).collect();
    let appended = |event: &NewEvent| {
        if stored.remove(&event.key.as_bytes()[..]) { Appended::Stored } else { Appended::Duplicate }
    };
    Ok(events.iter().map(appended).collect())
}

/// Stores an event and rolls back.
pub(super) async fn try_to_append(connection: &Connection) -> Result<(), InboxError> {
    let key: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    let (keys, no_request): ([&[u8]; 1], [Option<&[u8]>; 1]) = ([&key], [None]);
    let json: [&[u8]; 1] = [b"{}"];
    let steps: [Step<'_>; 2] =
        [(LOCK_LANES, &[&&keys[..]]), (STORE, &[&&keys[..], &&keys[..], &&no_request[..], &&json[..]])];
    connection.all(&steps, Ending::Rollback).await?;
    Ok(())
}
