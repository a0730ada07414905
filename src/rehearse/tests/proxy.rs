//! The fault proxy, before and behind real clients: boto3, psql, kubectl.

#![allow(clippy::unwrap_used)]

use std::{
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use formwork_rehearse::{Aim, Fault, FaultProxy, LocalCloud, Options, Progress, Site};

/// How long a client may take to make its call.
const CALL_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn calls_go_wrong_as_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path()).only("staging");
    options.progress = Progress::lines();
    let cloud = LocalCloud::start_blocking(&options).unwrap();
    let direct = cloud.site("staging").unwrap();
    let proxy = FaultProxy::start(direct, &folder.path().join("proxy")).unwrap();

    without_a_fault_nothing_is_different(&proxy);
    a_call_that_is_killed_before_never_happens(&proxy, direct);
    a_call_that_is_killed_after_has_happened(&proxy, direct);
    a_lost_answer_leaves_the_effect(&proxy, direct);
    a_late_call_lands_when_it_is_told_to(&proxy, direct);
    a_refused_call_is_refused_once(&proxy);
    drop(proxy);
    cloud.stop_blocking();
}

fn without_a_fault_nothing_is_different(proxy: &FaultProxy) {
    proxy.begin(None);
    let site = proxy.site();
    fine(&mut boto3(site, "client('ec2').describe_vpcs()"));
    fine(&mut psql(site, "select 1"));
    fine(&mut kubectl(site, &["get", "namespaces"]));
    assert!(proxy.requests() >= 3 && proxy.changes().is_empty(), "{:?}", proxy.changes());
    fine(&mut boto3(site, "client('ec2').create_vpc(CidrBlock='10.1.0.0/16')"));
    fine(&mut psql(site, "create role counted"));
    fine(&mut kubectl(site, &["create", "namespace", "counted"]));
    let expected = ["ec2 CreateVpc", "sql CREATE ROLE", "kubernetes POST namespaces"];
    assert_eq!(proxy.changes(), expected);
}

fn a_call_that_is_killed_before_never_happens(proxy: &FaultProxy, direct: &Site) {
    let site = proxy.site();
    killed(
        proxy,
        Fault::Before,
        &mut boto3(site, "client('ec2').create_vpc(CidrBlock='10.2.0.0/16')"),
    );
    assert!(!networks(direct).contains("10.2."));
    killed(proxy, Fault::Before, &mut psql(site, "create role before"));
    assert_eq!(role(direct, "before"), "");
    killed(proxy, Fault::Before, &mut kubectl(site, &["create", "namespace", "before"]));
    assert!(!namespaces(direct).contains("before"));
}

fn a_call_that_is_killed_after_has_happened(proxy: &FaultProxy, direct: &Site) {
    let site = proxy.site();
    killed(
        proxy,
        Fault::After,
        &mut boto3(site, "client('ec2').create_vpc(CidrBlock='10.3.0.0/16')"),
    );
    assert!(networks(direct).contains("10.3."));
    killed(proxy, Fault::After, &mut psql(site, "create role after; comment on role after is 'x'"));
    assert_eq!(role(direct, "after"), "after");
    killed(proxy, Fault::After, &mut kubectl(site, &["create", "namespace", "after"]));
    assert!(namespaces(direct).contains("after"));
}

fn a_lost_answer_leaves_the_effect(proxy: &FaultProxy, direct: &Site) {
    proxy.begin(Some((Aim::Named("sql CREATE ROLE".to_owned(), 1), Fault::LostAnswer)));
    assert!(!output(&mut psql(proxy.site(), "create role lost")).status.success());
    assert_eq!(role(direct, "lost"), "lost");
    proxy.begin(Some((Aim::Change(1), Fault::LostAnswer)));
    let lost = "client('ec2').create_vpc(CidrBlock='10.4.0.0/16')";
    assert!(!output(&mut boto3(proxy.site(), lost)).status.success());
    assert!(networks(direct).contains("10.4."));
    assert_eq!(proxy.struck(Duration::ZERO).as_deref(), Some("ec2 CreateVpc"));
}

fn a_late_call_lands_when_it_is_told_to(proxy: &FaultProxy, direct: &Site) {
    let site = proxy.site();
    assert!(!proxy.land(), "nothing is held yet");
    for late in [
        &mut boto3(site, "client('ec2').create_vpc(CidrBlock='10.5.0.0/16')"),
        &mut psql(site, "create role late"),
        &mut kubectl(site, &["create", "namespace", "late"]),
    ] {
        killed(proxy, Fault::Late, late);
        let seen = || {
            [
                networks(direct).contains("10.5."),
                role(direct, "late") == "late",
                namespaces(direct).contains("late"),
            ]
        };
        let before = seen();
        assert!(proxy.land());
        assert_eq!(before.iter().zip(seen()).filter(|(before, after)| *before != after).count(), 1);
    }
}

fn a_refused_call_is_refused_once(proxy: &FaultProxy) {
    for fault in [Fault::Throttled, Fault::OutOfOrder] {
        proxy.begin(Some((Aim::Request(1), fault)));
        let refused = output(&mut boto3(proxy.site(), "client('ec2').describe_vpcs()"));
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        let word = if fault == Fault::Throttled { "RequestLimitExceeded" } else { "503" };
        assert!(said.contains(word), "{said}");
        fine(&mut boto3(proxy.site(), "client('ec2').describe_vpcs()"));
    }
}

/// Runs a client, kills it when the fault has happened, and begins the next run.
fn killed(proxy: &FaultProxy, fault: Fault, client: &mut Command) {
    proxy.begin(Some((Aim::Change(1), fault)));
    let mut child: Child = client.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let struck = proxy.struck(CALL_LIMIT);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(struck.is_some(), "the call was never made");
    proxy.begin(None);
}

/// One attempt only: a client that tries again would hide what happens to the first.
fn boto3(site: &Site, call: &str) -> Command {
    let code = format!(
        "import boto3; from botocore.config import Config\n\
         client = lambda name: boto3.client(name, config=Config(retries={{'total_max_attempts': 1}}))\n{call}"
    );
    let mut python = Command::new(&site.tools.python);
    python.args(["-c", &code]).envs(site.environment());
    python
}

fn psql(site: &Site, sql: &str) -> Command {
    let mut psql = Command::new(&site.tools.psql);
    psql.args(["-X", "-q", "-A", "-t", "-c", sql]).envs(site.environment());
    psql
}

fn kubectl(site: &Site, arguments: &[&str]) -> Command {
    let mut kubectl = Command::new(&site.tools.kubectl);
    kubectl.args(arguments).envs(site.environment());
    kubectl
}

fn networks(site: &Site) -> String {
    fine(&mut boto3(site, "print([v['CidrBlock'] for v in client('ec2').describe_vpcs()['Vpcs']])"))
}

fn role(site: &Site, name: &str) -> String {
    fine(&mut psql(site, &format!("select rolname from pg_roles where rolname = '{name}'")))
}

fn namespaces(site: &Site) -> String {
    fine(&mut kubectl(site, &["get", "namespaces", "-o", "name"]))
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn fine(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
