//! Creates the schema, and upgrades an older one.

use tokio_postgres::{Client, Error, Transaction, error::SqlState};

use super::owners;
use crate::inbox::InboxError;

/// The statements that upgrade version n to version n + 1; a new schema is version 0.
const UPGRADES: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("upgrade-2.sql"),
    include_str!("upgrade-3.sql"),
    include_str!("upgrade-4.sql"),
];

/// How often another process may be faster in creating the schema.
const TRIES: u32 = 5;

/// Lower-case letters, digits and underscores, so that it is the same with quotes and without.
pub(super) fn check_name(schema: &str) -> Result<(), InboxError> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = schema.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if begins && schema.len() <= 63 && schema.bytes().all(legal) && !schema.starts_with("pg_") {
        return Ok(());
    }
    // It is not repeated: it may be a URL that was passed in its place.
    Err(InboxError::new(
        "this name of a schema cannot be used: it needs 1 to 63 lower-case letters, digits and underscores, \
         and starts with neither a digit nor pg_",
    ))
}

enum Failure {
    Postgres(Error),
    Refused(InboxError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<InboxError> for Failure {
    fn from(error: InboxError) -> Self {
        Self::Refused(error)
    }
}

/// Creates or upgrades the schema, unless it is the newest that this release knows.
///
/// # Errors
///
/// When PostgreSQL fails, when part of the schema belongs to a role that could then read every event, and when the schema is of
/// a later release.
pub(super) async fn prepare(client: &mut Client, schema: &str) -> Result<(), InboxError> {
    let mut tries = 1;
    loop {
        let error = match upgrade(client, schema).await {
            Ok(version) => return check_version(version, schema),
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Postgres(error)) => error,
        };
        let ahead = [&SqlState::UNIQUE_VIOLATION, &SqlState::DUPLICATE_SCHEMA, &SqlState::DUPLICATE_TABLE];
        if tries == TRIES || !error.code().is_some_and(|code| ahead.contains(&code)) {
            return Err(InboxError::caused("PostgreSQL could not do it", &error));
        }
        tries += 1;
    }
}

/// Checks that the schema exists, and is the newest that this release knows.
///
/// # Errors
///
/// As for [`prepare`], and when the schema does not exist or is older.
pub(super) async fn check(client: &mut Client, schema: &str) -> Result<(), InboxError> {
    let failed = |error: Error| InboxError::caused("PostgreSQL could not do it", &error);
    let look = client.transaction().await.map_err(failed)?;
    owners::check(&look, schema).await?;
    if look.query_opt(MARKED, &[&schema]).await.map_err(failed)?.is_none() {
        return Err(InboxError::new("there is no inbox: start a receiver or a worker first"));
    }
    let version = version(&look).await.map_err(failed)?;
    check_version(version, schema)?;
    if version < UPGRADES.len() {
        return Err(InboxError::new(
            "it is of an earlier version: start a receiver or a worker of this release first",
        ));
    }
    Ok(())
}

const MARKED: &str = "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                      WHERE relname = 'inbox_version' AND nspname = $1";

/// Returns the version that the schema has afterwards: the newest that this release knows, or a later one.
async fn upgrade(client: &mut Client, schema: &str) -> Result<usize, Failure> {
    let change = client.transaction().await?;
    let exists =
        change.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema]).await?.is_some();
    if exists {
        // Before anything else: objects of other roles are not even read.
        owners::check(&change, schema).await?;
    } else {
        // Only if it does not exist, because creating it needs a privilege that using it does not.
        change.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    if change.query_opt(MARKED, &[&schema]).await?.is_none() {
        change.batch_execute("CREATE TABLE inbox_version (version integer NOT NULL)").await?;
        change.batch_execute("INSERT INTO inbox_version VALUES (0)").await?;
    }
    let mut version = version(&change).await?;
    if version < UPGRADES.len() {
        // Processes that start together take turns. Only a role that may write to the inbox can hold this lock, and the lock
        // does not conflict with a backup's.
        change.batch_execute("LOCK TABLE inbox_version IN SHARE ROW EXCLUSIVE MODE").await?;
        // It counts all events.
        change.batch_execute("SET LOCAL statement_timeout TO '10min'").await?;
        version = self::version(&change).await?;
        for upgrade in UPGRADES.iter().skip(version) {
            change.batch_execute(upgrade).await?;
        }
        version = version.max(UPGRADES.len());
        change.execute("UPDATE inbox_version SET version = $1", &[&(version as i32)]).await?;
    }
    change.commit().await?;
    Ok(version)
}

async fn version(change: &Transaction<'_>) -> Result<usize, Error> {
    let version: i32 = change.query_one("SELECT version FROM inbox_version", &[]).await?.get(0);
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn check_version(version: usize, schema: &str) -> Result<(), InboxError> {
    if version <= UPGRADES.len() {
        return Ok(());
    }
    Err(InboxError::new(format!(
        "the inbox in schema {schema} is of version {version}, and this release knows versions up to {}: use a later release",
        UPGRADES.len()
    ))
    .newer_schema())
}
