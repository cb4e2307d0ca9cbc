//! Checks who owns the schema: a role that owns part of it could copy every event, with a trigger that runs with our rights.

use tokio_postgres::Transaction;

use crate::inbox::InboxError;

/// Returns a part of the schema that an untrusted role owns, or an untrusted role that may create objects in it. Trusted are our
/// role, those that it is a member of, the database's owner and superusers.
const UNTRUSTED: &str = "
    WITH RECURSIVE own (role) AS (
        SELECT oid FROM pg_roles WHERE rolname = current_user
        UNION SELECT roleid FROM pg_auth_members JOIN own ON member = role
    ), trusted (role) AS (
        SELECT role FROM own
        UNION SELECT oid FROM pg_roles WHERE rolsuper OR rolname = 'pg_database_owner'
        UNION SELECT datdba FROM pg_database WHERE datname = current_database()
    ), schema AS (
        SELECT oid, nspowner, nspacl FROM pg_namespace WHERE nspname = $1
    ), part (name, role) AS (
        SELECT 'it', nspowner FROM schema
        UNION ALL SELECT relname, relowner FROM pg_class JOIN schema ON schema.oid = relnamespace
            WHERE relkind NOT IN ('i', 'I')
        UNION ALL SELECT proname, proowner FROM pg_proc JOIN schema ON schema.oid = pronamespace
        UNION ALL SELECT oprname, oprowner FROM pg_operator JOIN schema ON schema.oid = oprnamespace
        UNION ALL SELECT typname, typowner FROM pg_type JOIN schema ON schema.oid = typnamespace
        UNION ALL SELECT 'the trigger ' || tgname, proowner FROM pg_trigger
            JOIN pg_class ON pg_class.oid = tgrelid JOIN schema ON schema.oid = relnamespace
            JOIN pg_proc ON pg_proc.oid = tgfoid
    )
    SELECT name || ' belongs to ' || pg_get_userbyid(role)
    FROM part WHERE role NOT IN (SELECT role FROM trusted)
    UNION ALL
    SELECT CASE grantee WHEN 0 THEN 'every role' ELSE pg_get_userbyid(grantee) END || ' may create objects in it'
    FROM schema, aclexplode(nspacl)
    WHERE privilege_type = 'CREATE' AND grantee NOT IN (SELECT role FROM trusted)
    LIMIT 1";

/// # Errors
///
/// When a role that is not trusted owns part of the schema or may add to it.
pub(super) async fn check(change: &Transaction<'_>, schema: &str) -> Result<(), InboxError> {
    let found = change.query_opt(UNTRUSTED, &[&schema]).await;
    let found = found.map_err(|error| InboxError::caused("its owners cannot be checked", &error))?;
    let Some(found) = found else { return Ok(()) };
    let found: &str = found.get(0);
    Err(InboxError::new(format!(
        "{found}, so that role could read every event: the schema and what is in it have to belong to the role that \
         connects, one that it is a member of, the database's owner or a superuser, and no other may create anything there; \
         otherwise use another schema"
    )))
}
