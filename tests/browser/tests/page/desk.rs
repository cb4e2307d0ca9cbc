//! The real binary.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// `desk listen --page` on a free port.
pub(crate) struct Listener {
    child: Child,
    address: String,
}

impl Listener {
    pub(crate) fn start() -> Self {
        Self::on("0")
    }

    fn on(port: &str) -> Self {
        let mut command = desk();
        command.args(["listen", "--page", "--port", port]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.find_map(|line| Some(line.split_once("listening on http://")?.1.to_owned()));
        let address = listening.expect("it does not listen").split('/').next().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// On the same port.
    pub(crate) fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let port = self.address.rsplit(':').next().unwrap().to_owned();
        *self = Self::on(&port);
    }

    pub(crate) fn page(&self) -> String {
        format!("http://{}/desk/live", self.address)
    }

    /// Runs a command that sends to it.
    pub(crate) fn desk<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) {
        let to = format!("http://{}/desk/callback", self.address);
        let output = desk().args(arguments).args(["--to", &to]).output().unwrap();
        // A delivery that is refused on purpose ends with 1.
        assert!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn desk() -> Command {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.ancestors().nth(2).unwrap().join("desk");
    assert!(path.exists(), "{} is missing: run `cargo build -p tencent-desk-cli`", path.display());
    let mut command = Command::new(path);
    command.env("DESK_TOKEN", "a token of the tests").env_remove("DESK_SDK_APP_ID");
    command
}
