//! Makes the schema, and brings an older one up to date.

use tokio_postgres::{Client, Error};

use crate::inbox::InboxError;

/// What makes version n + 1 out of version n; a new schema is version 0.
const UPGRADES: [&str; 1] = [include_str!("schema.sql")];

/// Lower-case letters, digits and underscores, so that it is the same with quotes and without.
pub(super) fn check_name(schema: &str) -> Result<(), InboxError> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = schema.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if begins && schema.len() <= 63 && schema.bytes().all(legal) && !schema.starts_with("pg_") {
        return Ok(());
    }
    Err(InboxError::new(format!(
        "the schema {schema:?} cannot be used: it needs 1 to 63 lower-case letters, digits and underscores, \
         and begins with neither a digit nor pg_"
    )))
}

/// The version of the schema, once it is the newest that this release knows, or what it is if that is newer.
pub(super) async fn prepare(client: &mut Client, schema: &str) -> Result<usize, Error> {
    let change = client.transaction().await?;
    // Processes that start together take turns.
    change
        .execute("SELECT pg_advisory_xact_lock(hashtext('tencent-desk-webhook ' || $1))", &[&schema])
        .await?;
    let exists = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    // Asked first, because making it needs a right that using it does not.
    if change.query_opt(exists, &[&schema]).await?.is_none() {
        change.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    let marked = "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                  WHERE relname = 'inbox_version' AND nspname = $1";
    if change.query_opt(marked, &[&schema]).await?.is_none() {
        change.batch_execute("CREATE TABLE inbox_version (version integer NOT NULL)").await?;
        change.batch_execute("INSERT INTO inbox_version VALUES (0)").await?;
    }
    let version: i32 = change.query_one("SELECT version FROM inbox_version", &[]).await?.get(0);
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    for upgrade in UPGRADES.iter().skip(version) {
        change.batch_execute(upgrade).await?;
    }
    let newest = version.max(UPGRADES.len());
    if newest > version {
        change.execute("UPDATE inbox_version SET version = $1", &[&(newest as i32)]).await?;
    }
    change.commit().await?;
    Ok(newest)
}

pub(super) fn check_version(version: usize, schema: &str) -> Result<(), InboxError> {
    if version <= UPGRADES.len() {
        return Ok(());
    }
    Err(InboxError::new(format!(
        "the inbox in schema {schema} is of version {version}, and this release knows versions up to {}: use a later release",
        UPGRADES.len()
    )))
}
