//! One local cloud, both sites, looked at from outside: with boto3, kubectl, psql and a socket.

#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Output},
    time::{Duration, Instant},
};

use formwork_rehearse::{Inventory, LocalCloud, Options, Progress, Site};

/// How long Kubernetes may take to make Pods, and to take them away.
const PODS_LIMIT: &str = "--timeout=60s";
/// How long a deleted thing may stay visible.
const GONE_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_local_cloud_is_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path());
    options.progress = Progress::lines();
    let cloud = LocalCloud::start_blocking(&options).unwrap();
    let (production, staging) = (cloud.site("production").unwrap(), cloud.site("staging").unwrap());

    a_second_cloud_in_the_same_folder_is_refused(&options);
    sites_are_written_down(&cloud);
    redis_answers(staging);
    the_master_is_no_superuser(staging);
    other_roles_need_their_password(staging);
    let before = Inventory::take_blocking(cloud.sites()).unwrap();
    accounts_are_apart(production, staging);
    pods_become_ready(staging);
    an_inventory_sees_what_was_made_and_that_it_went(&cloud, &before);
    cloud.stop_blocking();
}

fn a_second_cloud_in_the_same_folder_is_refused(options: &Options) {
    let error = LocalCloud::start_blocking(options).unwrap_err().to_string();
    assert!(error.contains("another local cloud is running in it"), "{error}");
}

fn sites_are_written_down(cloud: &LocalCloud) {
    let read = Site::all_in(cloud.scratch()).unwrap();
    let names: Vec<_> = read.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names, ["production", "staging"]);
    assert_eq!(read[1].postgres_port, cloud.site("staging").unwrap().postgres_port);
    let file = cloud.scratch().join("sites/staging.env");
    let script =
        format!(". '{}' && echo $AWS_ACCESS_KEY_ID && kubectl get nodes -o name", file.display());
    let shell = text(Command::new("sh").args(["-c", &script]));
    assert_eq!(shell, "222222222222\nnode/node-1\nnode/node-2\nnode/node-3");
}

fn redis_answers(site: &Site) {
    let mut stream = TcpStream::connect((site.redis_host.as_str(), site.redis_port)).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG");
}

fn the_master_is_no_superuser(site: &Site) {
    let query =
        "select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user";
    assert_eq!(text(&mut psql(site, &site.postgres_master, "", query)), "f|t|t");
    let refused = output(&mut psql(site, &site.postgres_master, "", "create role s superuser"));
    assert!(!refused.status.success());
    let refused = output(&mut psql(site, "rdsadmin", "", "select 1"));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("pg_hba.conf rejects"));
    let collation = "select datcollate from pg_database where datname = 'postgres'";
    assert_eq!(text(&mut psql(site, &site.postgres_master, "", collation)), "en_US.UTF-8");
}

fn other_roles_need_their_password(site: &Site) {
    text(&mut psql(site, &site.postgres_master, "", "create role visitor login password 'right'"));
    assert_eq!(text(&mut psql(site, "visitor", "right", "select current_user")), "visitor");
    for wrong in ["", "wrong"] {
        assert!(!output(&mut psql(site, "visitor", wrong, "select 1")).status.success());
    }
    text(&mut psql(site, &site.postgres_master, "", "drop role visitor"));
}

fn accounts_are_apart(production: &Site, staging: &Site) {
    aws(staging, "c('secretsmanager').create_secret(Name='s', SecretString='x')");
    let names = "print([s['Name'] for s in c('secretsmanager').list_secrets()['SecretList']])";
    assert_eq!(aws(staging, names), "['s']");
    assert_eq!(aws(production, names), "[]");
    let account = "print(c('sts').get_caller_identity()['Account'])";
    assert_eq!(aws(production, account), "111111111111");
    aws(
        staging,
        "c('secretsmanager').delete_secret(SecretId='s', ForceDeleteWithoutRecovery=True)",
    );
}

fn pods_become_ready(site: &Site) {
    kubectl(site, &["create", "namespace", "app"]);
    kubectl(site, &["create", "deployment", "web", "-n", "app", "--image=web", "--replicas=2"]);
    kubectl(site, &["rollout", "status", "deployment/web", "-n", "app", PODS_LIMIT]);
    kubectl(site, &["create", "clusterrole", "reader", "--verb=get", "--resource=pods"]);
    kubectl(site, &["create", "configmap", "note", "-n", "kube-system"]);
}

fn an_inventory_sees_what_was_made_and_that_it_went(cloud: &LocalCloud, before: &Inventory) {
    let site = cloud.site("staging").unwrap();
    let master = site.postgres_master.as_str();
    text(&mut psql(site, master, "", "create role app login password 'x'"));
    text(&mut psql(site, master, "", "create database app"));
    text(&mut psql(site, master, "", "grant create on database app to app"));
    aws(
        site,
        "e = c('ec2')
v = e.create_vpc(CidrBlock='10.1.0.0/16')['Vpc']['VpcId']
g = e.create_security_group(GroupName='g', Description='d', VpcId=v)['GroupId']
e.authorize_security_group_ingress(GroupId=g, IpProtocol='tcp', FromPort=443, ToPort=443, CidrIp='10.0.0.0/8')
c('iam').create_role(RoleName='r', AssumeRolePolicyDocument='{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"eks.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}')
c('eks').create_cluster(name='k', roleArn='arn:aws:iam::222222222222:role/r', resourcesVpcConfig={'subnetIds': []})
c('rds').create_db_instance(DBInstanceIdentifier='d', Engine='postgres', DBInstanceClass='db.t4g.micro', AllocatedStorage=20, MasterUsername='m', MasterUserPassword='long-enough')",
    );
    let now = Inventory::take_blocking(cloud.sites()).unwrap().since(before);
    for part in [
        "+ staging ec2/vpc vpc-",
        "+ staging ec2/security-group sg-",
        r#"ingress {"ports": [443, 443], "protocol": "tcp", "source": "10.0.0.0/8"}"#,
        "+ staging iam/role /r",
        "+ staging eks/cluster k",
        "+ staging rds/instance d",
        "+ staging kubernetes/core/Namespace app",
        "+ staging kubernetes/apps/Deployment app/web",
        "+ staging kubernetes/core/Pod app/web-",
        "+ staging kubernetes/core/ConfigMap kube-system/note",
        "+ staging kubernetes/rbac.authorization.k8s.io/ClusterRole reader",
        "+ staging postgres/role app",
        "+ staging postgres/database app",
        "app=C/formwork_master",
    ] {
        assert!(now.iter().any(|line| line.contains(part)), "{part} is not among {now:#?}");
    }
    let elsewhere = now.iter().find(|line| !line.starts_with("+ staging "));
    assert_eq!(elsewhere, None, "only staging was touched");

    text(&mut psql(site, master, "", "drop database app"));
    text(&mut psql(site, master, "", "drop role app"));
    kubectl(site, &["delete", "namespace", "app", PODS_LIMIT]);
    kubectl(site, &["delete", "clusterrole", "reader"]);
    kubectl(site, &["delete", "configmap", "note", "-n", "kube-system"]);
    aws(
        site,
        "e = c('ec2')
c('rds').delete_db_instance(DBInstanceIdentifier='d', SkipFinalSnapshot=True)
c('eks').delete_cluster(name='k')
c('iam').delete_role(RoleName='r')
v = [v['VpcId'] for v in e.describe_vpcs()['Vpcs'] if not v['IsDefault']][0]
for g in e.describe_security_groups(Filters=[{'Name': 'vpc-id', 'Values': [v]}])['SecurityGroups']:
    if g['GroupName'] != 'default':
        e.delete_security_group(GroupId=g['GroupId'])
e.delete_vpc(VpcId=v)",
    );
    let started = Instant::now();
    loop {
        let left = Inventory::take_blocking(cloud.sites()).unwrap().since(before);
        if left.is_empty() {
            break;
        }
        assert!(started.elapsed() < GONE_LIMIT, "still different: {left:#?}");
    }
}

fn psql(site: &Site, role: &str, password: &str, sql: &str) -> Command {
    let mut command = Command::new(&site.tools.psql);
    command.args(["-h", &site.postgres_host, "-p", &site.postgres_port.to_string()]);
    command.args(["-XAtqw", "-U", role, "-d", "postgres", "-c", sql]).env("PGPASSWORD", password);
    command
}

fn kubectl(site: &Site, arguments: &[&str]) -> String {
    text(
        Command::new(&site.tools.kubectl).arg("--kubeconfig").arg(&site.kubeconfig).args(arguments),
    )
}

/// Runs Python in which `c(service)` is a client of the site's account.
fn aws(site: &Site, script: &str) -> String {
    let script = format!(
        "import boto3\n\
         def c(s): return boto3.client(s, endpoint_url='{}', region_name='{}', aws_access_key_id='{}', aws_secret_access_key='x')\n\
         {script}",
        site.aws_endpoint, site.region, site.access_key_id
    );
    text(Command::new(&site.tools.python).args(["-c", &script]))
}

#[track_caller]
fn text(command: &mut Command) -> String {
    let output = output(command);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}
