//! Production and staging: one function, two environments.

use crate::{
    app::{App, Endpoints, app},
    data::{self, Data, ENCODING, LOCALE, Origin, RECOVERY_DAYS},
    environment::{Environment, EnvironmentFile},
    network::{Network, network},
    services::{Images, SERVICES},
};
use formwork::prelude::*;

/// The database that staging's previews are cloned from.
pub const TEMPLATE: &str = "shop_clone";
/// The role that makes databases and roles. It is no superuser, and the master only makes it.
const CREATOR: &str = "shop_creator";
/// The release that is tried out beside production's own, by `formwork deploy production --canary`.
const BETA: &str = "shop-beta";

/// The app with everything that it runs on, in production's account.
#[derive(clap::Args)]
pub struct Production {
    #[command(flatten)]
    environment: EnvironmentFile,
    #[command(flatten)]
    images: Images,
}

/// The app with everything that it runs on, in staging's account, and the template of previews.
#[derive(clap::Args)]
pub struct Staging {
    #[command(flatten)]
    environment: EnvironmentFile,
    #[command(flatten)]
    images: Images,
}

impl StackDefinition for Production {
    const NAME: &str = "production";

    fn define(&self, s: &mut Stack) -> Result<(), StackError> {
        platform(s, &self.environment.read(Self::NAME)?, &self.images).map(drop)
    }
}

impl StackDefinition for Staging {
    const NAME: &str = "staging";

    fn define(&self, s: &mut Stack) -> Result<(), StackError> {
        let env = self.environment.read(Self::NAME)?;
        let creator = platform(s, &env, &self.images)?;
        s.add(
            "template",
            postgres::Database::new()
                .server(creator)
                .name(TEMPLATE)
                .owner(CREATOR)
                .encoding(ENCODING)
                .collation(LOCALE)
                .ctype(LOCALE),
        );
        Ok(())
    }
}

exports! {
    /// What previews need of the platform that they live on.
    pub struct Platform {
        cluster: Id<eks::Cluster>,
        cluster_endpoint: String,
        cluster_authority: String,
        database: String,
        database_port: u16,
        creator: String,
        creator_password: Secret,
        cache: String,
        cache_port: u16,
    }
}

impl Platform {
    /// The database server, as the creator.
    pub fn server(&self, env: &Environment) -> Value<postgres::Server> {
        postgres::Server::new()
            .host(self.database)
            .port(self.database_port)
            .user(self.creator)
            .password(self.creator_password)
            .maybe_tls(tls(env))
            .into_value()
    }

    /// The way to the cluster.
    pub fn kubernetes(&self, env: &Environment) -> Value<kube::Cluster> {
        let Some(kubeconfig) = &env.cluster.kubeconfig else {
            return kube::Cluster::new()
                .eks(
                    kube::Eks::new()
                        .name(text![self.cluster])
                        .region(env.region.as_str())
                        .endpoint(self.cluster_endpoint)
                        .ca(self.cluster_authority),
                )
                .into_value();
        };
        let file = kube::KubeconfigFile::new().path(kubeconfig.as_str());
        kube::Cluster::new().kubeconfig(file).into_value()
    }

    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            database: self.database,
            database_port: self.database_port,
            cache: self.cache,
            cache_port: self.cache_port,
        }
    }
}

/// Network, cluster, database, cache, and the app on them. Answers the database server as its creator.
pub fn platform(
    s: &mut Stack,
    env: &Environment,
    images: &Images,
) -> Result<Value<postgres::Server>, StackError> {
    env.bind(s);
    let stack = s.name().to_owned();
    let net = network(s, env);
    let cluster = cluster(s, env, &net);
    let database = database(s, env, &net, cluster);
    let cache = cache(s, env, &net, cluster);

    let master = postgres::Server::new()
        .host(database.host)
        .port(database.port)
        .user(env.database.master.as_str())
        .maybe_tls(tls(env));
    let master = match env.database.managed_password {
        true => master.password(database.master_secret).into_value(),
        false => master.into_value(),
    };
    let creator_password =
        s.add("creator-password", data::password(&format!("shop/{stack}/creator"), RECOVERY_DAYS));
    let creator = s.add(
        "creator",
        postgres::Role::new()
            .server(master)
            .name(CREATOR)
            .password(creator_password.value)
            .createdb(true)
            .createrole(true),
    );
    let platform = Platform {
        cluster: cluster.name,
        cluster_endpoint: cluster.endpoint,
        cluster_authority: cluster.certificate_authority,
        database: database.host,
        database_port: database.port,
        creator: creator.name,
        creator_password: creator_password.value,
        cache: cache.host,
        cache_port: cache.port,
    };
    let server = platform.server(env);
    let secret = format!("shop/{stack}/database");
    let data = data::data(s, &server, "shop", &secret, Origin::Empty);
    reader(s, &server, &data);
    let release = format!("shop-{stack}");
    let mut releases = vec![("", release.as_str())];
    let endpoints = platform.endpoints();
    let host = &env.domain;
    let this = App { release: &release, namespace: &release, overlay: &stack, host, images };
    let stable = s.add("app", app(&this, platform.kubernetes(env), &endpoints, &data)?);
    if stack == Production::NAME {
        releases.push(("beta-", BETA));
        let host = &format!("beta.{host}");
        let beta = App { release: BETA, overlay: "beta", host, ..this };
        let beta = app(&beta, platform.kubernetes(env), &endpoints, &data)?;
        s.add("beta", beta.canary_of(stable));
    }
    pods(s, &release, &releases, cluster, &data);
    s.export(platform);
    Ok(server)
}

/// How connections to the database are secured: verified, unless the environment does without.
fn tls(env: &Environment) -> Option<postgres::Tls> {
    (!env.database.tls).then_some(postgres::Tls::Disable)
}

/// The cluster with its nodes and the add-ons that every cluster needs.
fn cluster(s: &mut Stack, env: &Environment, net: &Network) -> Handle<eks::Cluster> {
    let policy = |name: &str| Arn::new(format!("arn:aws:iam::aws:policy/{name}"));
    let control = s.add(
        "cluster-role",
        iam::Role::new()
            .assumed_by([iam::Trust::service("eks.amazonaws.com")])
            .managed_policies([policy("AmazonEKSClusterPolicy")]),
    );
    let subnets = || each(net.private.iter().map(|subnet| subnet.id));
    let cluster = s.add(
        "cluster",
        eks::Cluster::new()
            .version(env.cluster.version.as_str())
            .role(control.arn)
            .subnets(subnets())
            .private_endpoint(true)
            .unmanaged_addons(false)
            .logging([eks::LogKind::Audit, eks::LogKind::Authenticator]),
    );
    let node_role = s.add(
        "node-role",
        iam::Role::new().assumed_by([iam::Trust::service("ec2.amazonaws.com")]).managed_policies([
            policy("AmazonEKSWorkerNodePolicy"),
            policy("AmazonEKS_CNI_Policy"),
            policy("AmazonEC2ContainerRegistryPullOnly"),
        ]),
    );
    // Nodes only become ready with a network plugin, and CoreDNS only with nodes.
    for name in ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"] {
        s.add(name, eks::Addon::new().cluster(cluster.name).name(name));
    }
    let nodes = s.add(
        "nodes",
        eks::NodeGroup::new()
            .cluster(cluster.name)
            .role(node_role.arn)
            .subnets(subnets())
            .instance_types(each(env.cluster.instance_types.clone()))
            .min_size(env.cluster.min_nodes)
            .max_size(env.cluster.max_nodes),
    );
    let dns = eks::Addon::new().cluster(cluster.name).name("coredns");
    s.add("coredns", dns.after(nodes));
    // The roles of `foundation` that CI takes on, and what each may do in the cluster.
    let mut roles =
        vec![("plan", "AmazonEKSAdminViewPolicy"), ("apply", "AmazonEKSClusterAdminPolicy")];
    if s.name() == Staging::NAME {
        roles.push(("preview", "AmazonEKSClusterAdminPolicy"));
    }
    for (name, policy) in roles {
        let role = Arn::new(format!("arn:aws:iam::{}:role/shop-{name}", env.account));
        let policy = eks::AccessPolicy::new().policy(policy);
        let entry = eks::AccessEntry::new().cluster(cluster.name).principal(role);
        s.add(format!("{name}-access"), entry.policies([policy]));
    }
    cluster
}

/// A security group that admits the cluster's pods to one port.
fn access(
    s: &mut Stack,
    name: &str,
    net: &Network,
    cluster: Handle<eks::Cluster>,
    port: u16,
) -> Handle<ec2::SecurityGroup> {
    s.add(
        name,
        ec2::SecurityGroup::new()
            .vpc(net.vpc.id)
            .description("pods of the cluster")
            .ingress([ec2::Rule::new().port(port).group(cluster.security_group)]),
    )
}

fn database(
    s: &mut Stack,
    env: &Environment,
    net: &Network,
    cluster: Handle<eks::Cluster>,
) -> Handle<rds::Instance> {
    let values = &env.database;
    let access = access(s, "database-access", net, cluster, values.port.unwrap_or(5432));
    let subnets = s.add(
        "database-subnets",
        rds::SubnetGroup::new()
            .description("private subnets")
            .subnets(each(net.private.iter().map(|subnet| subnet.id))),
    );
    s.add(
        "postgres",
        rds::Instance::new()
            .version(values.version.as_str())
            .class(values.class.as_str())
            .storage_gb(values.storage_gb)
            .multi_az(values.multi_az)
            .maybe_port(values.port)
            .subnet_group(subnets.name)
            .security_groups([access.id])
            .master_user(values.master.as_str())
            .managed_password(values.managed_password)
            .deletion_protection(env.protect)
            .protect(env.protect),
    )
}

fn cache(
    s: &mut Stack,
    env: &Environment,
    net: &Network,
    cluster: Handle<eks::Cluster>,
) -> Handle<elasticache::ReplicationGroup> {
    let access = access(s, "cache-access", net, cluster, 6379);
    let subnets = s.add(
        "cache-subnets",
        elasticache::SubnetGroup::new()
            .description("private subnets")
            .subnets(each(net.private.iter().map(|subnet| subnet.id))),
    );
    s.add(
        "cache",
        elasticache::ReplicationGroup::new()
            .engine(elasticache::Engine::Valkey)
            .version(env.cache.version.as_str())
            .node_type(env.cache.node.as_str())
            .replicas(env.cache.replicas)
            .subnet_group(subnets.name)
            .security_groups([access.id])
            .protect(env.protect),
    )
}

/// A role that may read everything of the app's database, for people and reports; it can't log in itself.
fn reader(s: &mut Stack, server: &Value<postgres::Server>, data: &Data) {
    let reader = s.add(
        "reader",
        postgres::Role::new().server(server.clone()).name("shop_reader").login(false),
    );
    s.add(
        "reader-grants",
        postgres::Grants::new()
            .server(server.clone())
            .role(reader.name)
            .database(data.database.name)
            .on_database([postgres::DatabasePrivilege::Connect])
            .on_schemas(map! { "public": [postgres::SchemaPrivilege::Usage] }),
    );
}

/// A role at AWS for each service that has grants, by EKS Pod Identity, for its pods in all releases of a namespace.
fn pods(
    s: &mut Stack,
    namespace: &str,
    releases: &[(&str, &str)],
    cluster: Handle<eks::Cluster>,
    data: &Data,
) {
    for service in SERVICES {
        let Some(grants) = service.grants else { continue };
        let role = s.add(
            format!("{}-role", service.name),
            iam::Role::new().assumed_by([iam::Trust::pods()]).grants(each(grants(data))),
        );
        for (prefix, release) in releases {
            let account = format!("{release}-{}", service.name);
            let pods = cluster.pods(namespace, account, role.arn);
            s.add(format!("{prefix}{}-pods", service.name), pods);
        }
    }
}
