//! Clients that look at the local cloud without formwork: psql, kubectl, boto3.

use formwork_rehearse::Site;
use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// What a finished command said.
pub fn said(output: Output) -> Said {
    Said::of(output)
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The standard output of a command that had to succeed.
    pub fn ok(self) -> Result<String, String> {
        self.code_is(0).map(|said| said.stdout)
    }

    /// This, if it ended with the code; everything it said otherwise.
    pub fn code_is(self, code: i32) -> Result<Self, String> {
        if self.code == code {
            return Ok(self);
        }
        Err(format!("exit {} instead of {code}\n{}{}", self.code, self.stdout, self.stderr))
    }
}

/// Runs a program with the site's environment.
pub fn run(site: &Site, program: &Path, arguments: &[&str]) -> Result<Said, String> {
    let output = Command::new(program)
        .args(arguments)
        .envs(site.environment())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(Said::of(output))
}

/// Runs SQL as somebody, and answers the rows, columns parted by `|`.
pub fn psql(site: &Site, login: Login<'_>, sql: &str) -> Result<Said, String> {
    let output = Command::new(&site.tools.psql)
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .envs(site.environment())
        .env("PGDATABASE", login.database)
        .env("PGUSER", login.user)
        .env("PGPASSWORD", login.password)
        .env("PGCONNECT_TIMEOUT", "5")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("psql: {error}"))?;
    Ok(Said::of(output))
}

/// Who connects to which database.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub database: &'a str,
    pub user: &'a str,
    pub password: &'a str,
}

/// Runs SQL as the superuser that a managed server keeps to itself, by the server's own socket.
pub fn psql_as_superuser(site: &Site, database: &str, sql: &str) -> Result<Said, String> {
    let mut by_socket = site.clone();
    by_socket.postgres_host = site.postgres_socket.display().to_string();
    psql(&by_socket, Login { database, user: "rdsadmin", password: "" }, sql)
}

/// Runs kubectl with the site's kubeconfig.
pub fn kubectl(site: &Site, arguments: &[&str]) -> Result<Said, String> {
    run(site, &site.tools.kubectl, arguments)
}

/// Runs Python with boto3; `client(service)` gives a client of the site's account.
pub fn boto3(site: &Site, code: &str) -> Result<Said, String> {
    boto3_with(site, code, &[])
}

/// The same, with arguments for it.
pub fn boto3_with(site: &Site, code: &str, arguments: &[&str]) -> Result<Said, String> {
    let whole = format!("import boto3\nclient = boto3.client\n{code}");
    run(site, &site.tools.python, &[&["-c", &whole], arguments].concat())
}

/// Makes a bucket, as somebody does before the first state is kept in it.
pub fn make_bucket(site: &Site, bucket: &str) -> Result<(), String> {
    // To the emulator, a key of twelve digits is the root of that account, and no signature is checked.
    let scope = format!("{}/20260101/{}/s3/aws4_request", site.access_key_id, site.region);
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=unchecked");
    let body = format!(
        "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
        site.region
    );
    let put = ureq::put(format!("{}/{bucket}", site.aws_endpoint));
    let put = put.header("Authorization", authorization).send(body);
    put.map(drop).map_err(|error| format!("can't make the bucket {bucket}: {error}"))
}
