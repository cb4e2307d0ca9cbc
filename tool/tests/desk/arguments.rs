//! What holds for all commands.

use crate::support::{desk, run};

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [
        &[][..],
        &["nonsense"],
        &["send"],
        &["send", "SessionBegin"],
        &["send", "SessionBegin", "--to", "host/without/scheme"],
        &["send", "SessionBegin", "--to", "ftp://host/"],
        &["send", "SessionBegin", "--to", "http://h/", "--element", "TIMNoElem"],
        &["send", "SessionBegin", "--to", "http://h/", "--set", "nothing"],
        &["send", "SessionBegin", "--to", "http://h/", "--wrong-signature"],
        &["send", "SessionBegin", "--to", "http://h/", "--token", " "],
        &["send", "SessionBegin", "--to", "http://h/", "--app", "x"],
        &["explain"],
        &["explain", "nothing of the kind"],
        &["completions", "no-shell"],
    ] {
        let ran = run(arguments.iter().copied());
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn help_and_completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(["completions", shell]);
        assert_eq!(ran.code, 0);
        for word in ["send", "explain", "wrong-signature"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    assert!(run(["completions", "bash"]).stdout.contains("Human.UserSendMsg"));
    for arguments in [&["--help"][..], &["send", "--help"], &["explain", "-h"], &["--version"]] {
        assert_eq!(run(arguments.iter().copied()).code, 0);
    }
}

/// Neither in help, which shows other settings of the environment, nor in errors, nor in a delivery's output.
#[test]
fn a_token_is_never_printed() {
    let token = "do-not-print-me";
    for arguments in [
        &["--help"][..],
        &["send", "--help"],
        &["send", "SessionBegin", "--to", "http://127.0.0.1:9/", "--json"],
        &["send", "SessionBegin", "--to", "http://127.0.0.1:9/", "--curl"],
        &["send", "SessionBegin", "--to", "nowhere"],
        &["explain", "/?SdkAppid=1"],
    ] {
        let ran = desk(arguments.iter().copied()).env("DESK_TOKEN", token).output().unwrap();
        let printed = [ran.stdout, ran.stderr].concat();
        assert!(!printed.is_empty());
        assert!(!String::from_utf8_lossy(&printed).contains(token), "{arguments:?}");
    }
}

/// Under a terminal that util-linux's `script` makes.
#[test]
fn colour_is_for_terminals_without_no_color() {
    let explain = format!("{} explain '/?SdkAppid=1400000000'", env!("CARGO_BIN_EXE_desk"));
    let on_terminal = |no_color: &str| {
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &explain, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", no_color);
        String::from_utf8(command.output().expect("util-linux's `script` is needed").stdout).unwrap()
    };
    assert!(on_terminal("").contains("\x1b["), "{:?}", on_terminal(""));
    assert!(!on_terminal("1").contains("\x1b["));
    assert!(!run(["explain", "/?SdkAppid=1400000000"]).stdout.contains('\x1b'));
}
