//! Tests of the data folder's files: they are for one user alone, and a lost, damaged or foreign secret is refused.

use crate::running::{Server, folder, register};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn daybook(data: &Path, more: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command.args(["--port", "0", "--data"]).arg(data).args(more).output().expect("it runs")
}

/// A folder and all that is in it.
fn all_in(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(all_in(&path)),
            false => all.push(path),
        }
    }
    all
}

#[cfg(unix)]
mod permissions {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("new permissions");
    }

    /// The parts of a folder, itself included, that other users have permissions for.
    fn open_to_others(folder: &Path) -> Vec<PathBuf> {
        let private = |path: &Path| mode(path) == if path.is_dir() { 0o700 } else { 0o600 };
        all_in(folder).into_iter().filter(|path| !private(path)).collect()
    }

    #[tokio::test]
    async fn all_files_of_a_data_folder_and_its_backups_are_for_its_user_alone() {
        let (data, backup, restored) = (folder("private"), folder("private-backup"), folder("private-restored"));
        let server = Server::start(&data);
        let client = reqwest::Client::new();
        register(&client, &server.url).await;
        let copied = daybook(&data, &[Path::new("backup"), &backup]);
        assert!(copied.status.success(), "{copied:?}");
        server.kill();
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
        assert_eq!(open_to_others(&backup), Vec::<PathBuf>::new());

        // As earlier versions made them.
        for path in [all_in(&data), all_in(&backup)].concat() {
            set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
        }
        let other = data.join("notes.txt");
        fs::write(&other, "of the user").expect("a file");
        set_mode(&other, 0o644);
        let copied = daybook(&restored, &[Path::new("restore"), &backup]);
        assert!(copied.status.success(), "{copied:?}");
        assert_eq!(open_to_others(&restored), Vec::<PathBuf>::new());
        Server::start(&data).kill();
        assert_eq!(open_to_others(&data), [other]);
        for folder in [data, backup, restored] {
            let _ = fs::remove_dir_all(folder);
        }
    }

    #[test]
    fn an_empty_folder_becomes_private_at_the_first_start() {
        let data = folder("empty");
        fs::create_dir_all(&data).expect("a folder");
        set_mode(&data, 0o755);
        Server::start(&data).kill();
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
        let _ = fs::remove_dir_all(&data);
    }

    #[test]
    fn a_first_start_keeps_the_permissions_of_what_the_folder_already_held() {
        let data = folder("foreign");
        let other = data.join("files").join("picture.png");
        fs::create_dir_all(data.join("files")).expect("a folder");
        fs::write(&other, "a picture").expect("a file");
        for (path, mode) in [(&data, 0o755), (&other, 0o644)] {
            set_mode(path, mode);
        }
        Server::start(&data).kill();
        assert_eq!((mode(&data), mode(&other), mode(&data.join("secret"))), (0o755, 0o644, 0o600));
        let _ = fs::remove_dir_all(&data);
    }
}

#[test]
fn a_lost_secret_is_missed_not_replaced() {
    let data = folder("secret");
    Server::start(&data).kill();
    let secret = data.join("secret");
    let kept = fs::read(&secret).expect("a secret");
    let content = || {
        let files = all_in(&data).into_iter().filter(|path| path.is_file());
        files.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect::<BTreeMap<_, _>>()
    };
    let altered = kept.to_ascii_uppercase();
    let cases: [(Option<&[u8]>, &str); 8] = [
        (None, "is missing"),
        (Some(b""), "is empty"),
        (Some(b"\xff\xfe"), "can't be read"),
        (Some(b"short"), "is damaged"),
        (Some(&[0; 64]), "is damaged"),
        (Some(&kept[..40]), "is damaged"),
        (Some(&altered), "is damaged"),
        (Some(b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), "that of another folder"),
    ];
    for (text, expected) in cases {
        match text {
            None => fs::remove_file(&secret).expect("it goes"),
            Some(text) => fs::write(&secret, text).expect("a file"),
        }
        let before = content();
        let refused = daybook(&data, &[]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(expected), "{said}");
        assert!(said.contains("from a backup") && said.contains("--data"), "{said}");
        assert!(content() == before, "{expected}: a refused start changed the folder");
        if text.is_some() {
            let copied = daybook(&data, &[Path::new("backup"), &folder("secret-backup")]);
            let said = String::from_utf8_lossy(&copied.stderr);
            assert!(!copied.status.success() && said.contains(expected), "{said}");
        }
    }
    fs::write(&secret, kept).expect("a file");
    Server::start(&data).kill();
    let _ = fs::remove_dir_all(&data);
}

#[test]
fn a_check_value_is_written_for_the_data_of_earlier_versions_and_with_a_new_key() {
    let (data, backup, restored) = (folder("check"), folder("check-backup"), folder("check-restored"));
    Server::start(&data).kill();
    let (secret, check) = (data.join("secret"), data.join("secret-check"));
    let (old, first) = (fs::read_to_string(&secret).expect("a secret"), fs::read(&check).expect("a check value"));

    // As earlier versions made them, and their backups.
    fs::remove_file(&check).expect("it goes");
    let copied = daybook(&data, &[Path::new("backup"), &backup]);
    assert!(copied.status.success() && !backup.join("secret-check").exists(), "{copied:?}");
    let copied = daybook(&restored, &[Path::new("restore"), &backup]);
    assert!(copied.status.success(), "{copied:?}");
    for (folder, check) in [(&restored, restored.join("secret-check")), (&data, check.clone())] {
        Server::start(folder).kill();
        assert!(fs::read(check).expect("a check value") == first);
    }

    let _ = fs::remove_dir_all(&backup);
    let copied = daybook(&data, &[Path::new("backup"), &backup]);
    assert!(copied.status.success(), "{copied:?}");
    assert!(fs::read(backup.join("secret-check")).expect("a check value") == first);

    fs::write(&secret, format!("{},{old}", "f".repeat(64))).expect("a file");
    Server::start(&data).kill();
    assert!(fs::read(&check).expect("a check value") != first, "the new key makes the check value");
    for folder in [data, backup, restored] {
        let _ = fs::remove_dir_all(folder);
    }
}
