//! Which paths an SQLite inbox takes, and who can read its files.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
};

use tencent_desk_webhook::inbox::Inbox;

use crate::places::{Folder, accept, message};

#[tokio::test]
async fn a_connection_string_is_not_a_path_and_is_not_repeated() {
    for text in [
        "Postgres://desk:S3cret@host/db",
        "mysql://desk:S3cret@host/db",
        "host=db user=desk password=S3cret",
        "host=db PASSWORD = S3cret password=S3cret",
    ] {
        let error = Inbox::open(text).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("Inbox::connect"), "{text}");
        assert!(!text.contains("S3cret") && !text.contains("host"), "{text}");
    }
    let created = fs::read_dir(".").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!created.into_iter().any(|name| name.contains("S3cret")));
}

#[tokio::test]
async fn an_inbox_in_memory_is_refused_and_leaves_no_file() {
    for name in [":memory:", ""] {
        let error = Inbox::open(name).await.unwrap_err().to_string();
        assert!(error.contains("memory"), "{error}");
    }
    assert!(!Path::new(":memory:-lock").exists() && !Path::new(":memory:").exists());
}

/// One database under two names would have two locks and two write-ahead logs.
#[tokio::test]
async fn one_database_is_not_opened_by_two_names() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let _inbox = Inbox::open(&path).await.unwrap();
    let uri = format!("file:{}", path.display());
    let error = Inbox::open(&uri).await.unwrap_err().to_string();
    assert!(error.contains("URI"), "{error}");
    fs::hard_link(&path, folder.join("other.db")).unwrap();
    let error = Inbox::open(folder.join("other.db")).await.unwrap_err().to_string();
    assert!(error.contains("several names"), "{error}");
}

#[tokio::test]
async fn all_files_are_for_their_owner_alone() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    let modes = || {
        let suffixes = ["", "-wal", "-shm", "-lock", "-reserve"];
        suffixes.map(|suffix| fs::metadata(format!("{}{suffix}", path.display())).unwrap().mode() & 0o777)
    };
    let inbox = Inbox::open(&path).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    assert_eq!(modes(), [0o600; 5]);
    drop(inbox);

    // As the first release has left them.
    for name in ["desk.db", "desk.db-lock", "desk.db-reserve"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let inbox = Inbox::open(&path).await.unwrap();
    accept(&inbox, &message("s", 2)).await;
    assert_eq!(modes(), [0o600; 5]);
}

#[tokio::test]
async fn no_file_is_created_or_overwritten_through_a_link() {
    let folder = Folder::new();
    let victim = folder.join("victim");
    fs::write(&victim, "precious").unwrap();
    let path = folder.join("desk.db");
    symlink(&victim, folder.join("desk.db-reserve")).unwrap();
    let inbox = Inbox::open(&path).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    assert!(fs::symlink_metadata(folder.join("desk.db-reserve")).unwrap().is_file());
    drop(inbox);

    for name in ["two.db-lock", "two.db-wal"] {
        symlink(&victim, folder.join(name)).unwrap();
        let error = Inbox::open(folder.join("two.db")).await.unwrap_err().to_string();
        assert!(error.contains("not a regular file") && error.contains(name), "{error}");
        fs::remove_file(folder.join(name)).unwrap();
    }
    // A link to nothing would create its target.
    symlink(folder.join("elsewhere"), folder.join("three.db")).unwrap();
    Inbox::open(folder.join("three.db")).await.unwrap_err();
    assert!(!folder.join("elsewhere").exists());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

/// Another user who owns the lock file could hold the lock, and keep the inbox from starting.
#[tokio::test]
async fn a_lock_file_of_another_user_is_refused() {
    let folder = Folder::new();
    let path = folder.join("desk.db");
    drop(Inbox::open(&path).await.unwrap());
    if chown(folder.join("desk.db-lock"), Some(65534), None).is_err() {
        return; // only root can
    }
    let error = Inbox::open(&path).await.unwrap_err().to_string();
    assert!(error.contains("desk.db-lock belongs to another user"), "{error}");

    // What root creates beside the file of a service does not keep that service out.
    fs::remove_file(folder.join("desk.db-lock")).unwrap();
    // The file is closed in a thread of its own.
    crate::places::until("the log is gone", async || !folder.join("desk.db-wal").exists()).await;
    chown(&path, Some(65534), Some(65534)).unwrap();
    drop(Inbox::open(&path).await.unwrap());
    assert_eq!(fs::metadata(folder.join("desk.db-lock")).unwrap().uid(), 65534);
}
