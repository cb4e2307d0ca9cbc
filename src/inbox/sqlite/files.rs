//! The files of an inbox: where they are, and that they are its owner's alone.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::inbox::InboxError;

/// The database and the files beside it.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// As the caller wrote it, for errors.
    given: PathBuf,
    /// The same for every way to write the path, without symbolic links.
    real: PathBuf,
}

impl Files {
    pub(super) fn at(path: &Path) -> Result<Self, InboxError> {
        check_is_path(path)?;
        let failed =
            |error| InboxError::caused(format_args!("cannot open the inbox {}", path.display()), &error);
        let real = match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = path.file_name().ok_or(error).map_err(failed)?;
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                fs::canonicalize(folder.unwrap_or(Path::new("."))).map_err(failed)?.join(name)
            }
            real => real.map_err(failed)?,
        };
        Ok(Self { given: path.to_owned(), real })
    }

    /// As errors name it.
    pub(super) fn given(&self) -> std::path::Display<'_> {
        self.given.display()
    }

    pub(super) fn database(&self) -> &Path {
        // SQLite for Windows is not known to take the `\\?\` that a canonical path has there.
        if cfg!(unix) { &self.real } else { &self.given }
    }

    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.real.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Creates the database, empty, unless it is there.
    pub(super) fn create(&self) -> Result<(), InboxError> {
        // Closing a database that another thread has opened would lift SQLite's locks on it.
        static CREATING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
        match exclusive().open(&self.real) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(InboxError::caused(format_args!("cannot create the inbox {}", self.given()), &error))
            }
            _ => Ok(()),
        }
    }

    /// Opens a file beside the database, and creates it if it is not there.
    pub(super) fn open_beside(&self, suffix: &str) -> Result<File, InboxError> {
        let path = self.beside(suffix);
        let failed = |error| InboxError::caused(format_args!("cannot open {}", path.display()), &error);
        match exclusive().open(&path) {
            Ok(file) => {
                self.hand_over(&file);
                Ok(file)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.protect_file(&path)?;
                let file = File::options().read(true).write(true).open(&path).map_err(failed)?;
                if !is_same(&file, &path) {
                    return Err(InboxError::new(format!(
                        "{} was replaced while it was opened",
                        path.display()
                    )));
                }
                Ok(file)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Creates a file beside the database in the place of one that may be there.
    pub(super) fn replace_beside(&self, suffix: &str) -> io::Result<File> {
        let path = self.beside(suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = exclusive().open(&path)?;
        self.hand_over(&file);
        Ok(file)
    }

    /// Lets no other user read what an earlier release, or another program, has created for all to read.
    pub(super) fn protect(&self) -> Result<(), InboxError> {
        ["", "-wal", "-shm"].iter().try_for_each(|suffix| self.protect_file(&self.beside(suffix)))
    }
}

#[cfg(unix)]
impl Files {
    fn protect_file(&self, path: &Path) -> Result<(), InboxError> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

        let failed = |error| InboxError::caused(format_args!("cannot look at {}", path.display()), &error);
        let about = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            about => about.map_err(failed)?,
        };
        let refused = |why: &str| Err(InboxError::new(format!("{} {why}", path.display())));
        if !about.is_file() {
            return refused("is not a regular file: an inbox does not follow links out of its directory");
        }
        if path == self.real && about.nlink() > 1 {
            return refused(
                "has several names (hard links), and two processes could open it by two of them: remove all but one",
            );
        }
        let owner = fs::symlink_metadata(&self.real).map_err(failed)?.uid();
        if about.uid() != owner {
            return refused(
                "belongs to another user than the inbox: delete it while no process has the inbox open",
            );
        }
        if about.mode() & 0o077 != 0 {
            // Only the owner can; a process of another user that was given access goes on as it did.
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
        }
        Ok(())
    }

    /// What root creates beside the database of another user must not keep that user out.
    fn hand_over(&self, file: &File) {
        use std::os::unix::fs::{MetadataExt as _, fchown};

        if let (Ok(database), Ok(about)) = (fs::metadata(&self.real), file.metadata())
            && database.uid() != about.uid()
        {
            let _ = fchown(file, Some(database.uid()), Some(database.gid()));
        }
    }
}

#[cfg(not(unix))]
impl Files {
    fn protect_file(&self, _: &Path) -> Result<(), InboxError> {
        Ok(())
    }

    fn hand_over(&self, _: &File) {}
}

/// Connection strings are for [`Inbox::connect`](crate::inbox::Inbox::connect). What is refused here is not repeated: a
/// password may be in it.
fn check_is_path(path: &Path) -> Result<(), InboxError> {
    let text = path.to_string_lossy().to_ascii_lowercase();
    let refused = |why: &str| Err(InboxError::new(why));
    if text.contains("://") || text.contains("password=") {
        return refused(
            "this is a URL or a connection string and not the path of a file: use `Inbox::connect` for PostgreSQL",
        );
    }
    if text.starts_with("file:") {
        return refused("a path is needed and not a `file:` URI: leave out `file:`");
    }
    if text.is_empty() || text == ":memory:" {
        return refused(
            "the path of a file is needed: an inbox in memory would lose what it has acknowledged",
        );
    }
    Ok(())
}

/// Fails if the file is there, also as a symbolic link.
fn exclusive() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let (opened, named) = (file.metadata(), fs::symlink_metadata(path));
    matches!((opened, named), (Ok(opened), Ok(named)) if (opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}

#[cfg(not(unix))]
fn is_same(_: &File, _: &Path) -> bool {
    true
}
