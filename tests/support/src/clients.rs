//! Other projects' own clients, with which Daybook and its fakes are tested: environments of Python and Node with pinned
//! packages, in the cache.
//!
//! They are used where they are installed; `LLM_CLIENTS=required` installs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Python of the environment of a name with the packages of a requirements file, all of them pinned; none if it is
/// neither there nor required.
pub fn python(name: &str, requirements: &Path) -> Option<PathBuf> {
    let environment = cache()?.join(name);
    let python = environment.join("bin/python");
    prepared(&environment, requirements, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
        let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
        run(Command::new(&python).args(options).arg(requirements));
    })
    .then_some(python)
}

/// The folder of the environment of a name with the packages of a folder's `package-lock.json`; none if it is neither there
/// nor required. Scripts are run from there, where they find the packages.
pub fn node(name: &str, folder: &Path) -> Option<PathBuf> {
    let environment = cache()?.join(name);
    let lock = folder.join("package-lock.json");
    prepared(&environment, &lock, || {
        std::fs::create_dir_all(&environment).expect("a folder");
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(folder.join(file), environment.join(file)).expect("a copy");
        }
        run(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&environment));
    })
    .then_some(environment)
}

/// Whether an environment has the packages of this list, which are installed if they are required.
fn prepared(environment: &Path, list: &Path, install: impl FnOnce()) -> bool {
    let installed = environment.join("installed.txt");
    let wanted = std::fs::read(list).expect("the pinned packages");
    if std::fs::read(&installed).is_ok_and(|found| found == wanted) {
        return true;
    }
    if std::env::var("LLM_CLIENTS").as_deref() != Ok("required") {
        eprintln!("no {}: run with LLM_CLIENTS=required to install it", environment.display());
        return false;
    }
    install();
    std::fs::write(installed, wanted).expect("a mark in the environment");
    true
}

fn cache() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let caches = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    variable("DAYBOOK_CACHE").or_else(|| Some(caches()?.join("daybook")))
}

/// Runs a command to its end; returns what it printed.
pub fn run(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {errors}");
    String::from_utf8(done.stdout).expect("UTF-8")
}
