//! A PostgreSQL of our own, on a free port and in a folder of its own.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    pub(crate) port: u16,
    postmaster: Option<Child>,
    reaper: Option<Child>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    /// `None` where PostgreSQL is not installed; with `CI=true` that is a failure.
    pub(crate) fn start(settings: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var("CI").is_err(), "PostgreSQL's programs are missing (Debian: postgresql)");
            // Not by a macro: what a test prints is shown only if it fails.
            let _ = writeln!(
                std::io::stderr(),
                "\nSKIPPED, AND NOTHING TESTED: PostgreSQL's programs are missing (Debian: postgresql)"
            );
            return None;
        };
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("desk-postgres-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        give_away(&folder);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { programs, folder, port, postmaster: None, reaper: None };
        let made = server
            .command("initdb")
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D"])
            .arg(server.data())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb: {made}");
        fs::write(server.data().join("postgresql.auto.conf"), settings).unwrap();
        server.reaper = Some(server.reaper());
        server.up();
        Some(server)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }

    /// The URL of a database of one's own.
    pub(crate) fn database(&self, name: &str) -> String {
        if self.sql(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).is_empty() {
            self.sql(&format!("CREATE DATABASE {name}"));
        }
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Starts it, and waits until it takes connections. What is left of one that was killed may keep it from starting at
    /// first.
    pub(crate) fn up(&mut self) {
        let begun = Instant::now();
        loop {
            let ended = |child: &mut Child| child.try_wait().unwrap().is_some();
            if self.postmaster.as_mut().is_none_or(ended) {
                self.postmaster = Some(self.postmaster());
            }
            if self.is_ready() {
                return;
            }
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not start: {}", log());
            sleep(Duration::from_millis(20));
        }
    }

    fn postmaster(&self) -> Child {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        self.command("postgres")
            .arg("-D")
            .arg(self.data())
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "log_statement=none",
                "-k",
            ])
            .arg(&self.folder)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn is_ready(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && self
                .command("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .is_ok_and(|status| status.success())
    }

    /// All of its processes.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let postmaster = pid.lines().next().unwrap().to_owned();
        let children = Command::new("pgrep").args(["-P", &postmaster]).output().unwrap();
        let mut all = vec![signal.to_owned(), postmaster];
        all.extend(String::from_utf8(children.stdout).unwrap().lines().map(str::to_owned));
        // One of them may have ended meanwhile.
        let _ = Command::new("kill").args(all).stderr(Stdio::null()).status().unwrap();
    }

    /// Kills it in mid-work, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
        if let Some(mut postmaster) = self.postmaster.take() {
            let _ = postmaster.wait();
        }
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5));
        }
    }

    /// Stops it as a crash does, and leaves what it has written to the operating system.
    pub(crate) fn crash(&mut self) {
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "-w", "-m", "immediate", "-D"]).arg(self.data()).stdout(Stdio::null());
        assert!(stop.status().unwrap().success());
        if let Some(mut postmaster) = self.postmaster.take() {
            let _ = postmaster.wait();
        }
    }

    /// One statement or more; gives what it prints.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.sql_in("postgres", statement)
    }

    pub(crate) fn sql_in(&self, database: &str, statement: &str) -> String {
        let output = self.psql(database, statement).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn psql(&self, database: &str, statement: &str) -> Command {
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database])
            .args(["-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        psql
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            // PostgreSQL refuses to run as root.
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        command
    }

    /// A test that is killed takes its server with it.
    fn reaper(&self) -> Child {
        let script = "while kill -0 $1 2>/dev/null; do sleep 1; done
            kill -9 $(head -1 $2/data/postmaster.pid) 2>/dev/null; sleep 1; rm -rf $2";
        Command::new("sh")
            .args(["-c", script, "reaper", &std::process::id().to_string()])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            self.kill();
        }
        let _ = fs::remove_dir_all(&self.folder);
        if let Some(mut reaper) = self.reaper.take() {
            let _ = reaper.kill();
            let _ = reaper.wait();
        }
    }
}

/// One that all tests share that do it no harm, each in a schema of its own.
pub(crate) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(|| Server::start("")).as_ref()
}

fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    places.sort();
    places.reverse();
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    places.into_iter().find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// To the user whom [`Server::command`] runs PostgreSQL as.
pub(crate) fn give_away(path: &Path) {
    if is_root() {
        assert!(Command::new("chown").args(["-R", "postgres"]).arg(path).status().unwrap().success());
    }
}
