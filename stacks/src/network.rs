//! The network: public and private subnets in three zones.

use crate::environment::Environment;
use formwork::prelude::*;

/// The zones of a region that are used; EKS and a multi-AZ database need at least two.
const ZONES: [char; 3] = ['a', 'b', 'c'];
/// Everywhere.
const INTERNET: &str = "0.0.0.0/0";

/// What the rest of a stack needs of the network.
pub struct Network {
    pub vpc: Handle<ec2::Vpc>,
    pub private: Vec<Handle<ec2::Subnet>>,
}

/// A public /24 and a private /20 in each zone; what is private reaches out through NAT gateways.
pub fn network(s: &mut Stack, env: &Environment) -> Network {
    let cidr = env.network.cidr.as_str();
    let vpc = s.add("vpc", ec2::Vpc::new().cidr(cidr).dns_hostnames(true));
    let gateway = s.add("internet", ec2::InternetGateway::new().vpc(vpc.id));
    let zone = |i: usize| format!("{}{}", env.region, ZONES[i]);
    let subnet = |s: &mut Stack, kind: &str, i: usize, block: String, role: &str| {
        let subnet = ec2::Subnet::new().vpc(vpc.id).cidr(block).zone(zone(i));
        // The load balancer controller finds its subnets by these tags.
        let subnet = subnet.tags(map! { role: "1" });
        s.add(format!("{kind}-{}", ZONES[i]), subnet)
    };
    let base = cidr.split('.').take(2).collect::<Vec<_>>().join(".");
    let public: Vec<_> = (0..ZONES.len())
        .map(|i| {
            let block = format!("{base}.{i}.0/24");
            subnet(s, "public", i, block, "kubernetes.io/role/elb")
        })
        .collect();
    let private: Vec<_> = (0..ZONES.len())
        .map(|i| {
            let block = format!("{base}.{}.0/20", 16 * (i + 1));
            subnet(s, "private", i, block, "kubernetes.io/role/internal-elb")
        })
        .collect();
    s.add(
        "public-routes",
        ec2::RouteTable::new()
            .vpc(vpc.id)
            .routes([ec2::Route::new().destination(INTERNET).internet_gateway(gateway.id)])
            .subnets(each(public.iter().map(|subnet| subnet.id))),
    );
    let gateways = if env.network.nat_per_zone { ZONES.len() } else { 1 };
    let nats: Vec<_> = (0..gateways)
        .map(|i| {
            let address = s.add(format!("nat-address-{}", ZONES[i]), ec2::ElasticIp::new());
            let nat = ec2::NatGateway::new().subnet(public[i].id).address(address.id);
            // Without the gateway's route a NAT gateway comes up and reaches nothing.
            s.add(format!("nat-{}", ZONES[i]), nat.after(gateway))
        })
        .collect();
    for (i, subnet) in private.iter().enumerate() {
        let nat = nats[i.min(nats.len() - 1)];
        s.add(
            format!("private-routes-{}", ZONES[i]),
            ec2::RouteTable::new()
                .vpc(vpc.id)
                .routes([ec2::Route::new().destination(INTERNET).nat_gateway(nat.id)])
                .subnets([subnet.id]),
        );
    }
    Network { vpc, private }
}
