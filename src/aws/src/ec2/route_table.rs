//! A route table, with its routes and the subnets that follow it.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html>

use super::{
    InternetGateway, NatGateway, Subnet, Vpc,
    find::{find, under_filter},
    tags,
};
use crate::{
    Aws,
    call::{absent, calls, half_made},
    tags::Tags,
};
use aws_sdk_ec2::types::{
    Filter, ResourceType, Route as DescribedRoute, RouteOrigin, RouteTable as Described,
    RouteTableAssociation,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A route table: where traffic that leaves the subnets goes.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ec2.RouteTable", outputs = RouteTableOutputs, identity = tag)]
pub struct RouteTable {
    #[replace]
    pub vpc: Id<Vpc>,
    /// The routes beside the one within the VPC, which is always there.
    #[unordered]
    pub routes: Vec<Route>,
    /// The subnets that follow this table; others follow the VPC's main one.
    #[unordered]
    pub subnets: Vec<Id<Subnet>>,
    pub tags: Option<Tags>,
}

/// A route: traffic for `destination` goes to one of the gateways.
#[derive(Clone, Debug, PartialEq, Nested, Serialize, Deserialize)]
pub struct Route {
    /// The addresses it is for, such as `0.0.0.0/0`; a table has one route for each.
    pub destination: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internet_gateway: Option<Id<InternetGateway>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_gateway: Option<Id<NatGateway>>,
}

/// What is known of a route table.
#[derive(Outputs, Serialize)]
pub struct RouteTableOutputs {
    pub id: Id<RouteTable>,
    pub arn: Arn,
}

calls! { RouteTable + tags::CALLS:
    LIST = EC2.DescribeRouteTables on ["*"];
    CREATE = EC2.CreateRouteTable on ["route-table/*", "vpc/{vpc}"],
        and "ec2:CreateTags" on ["route-table/*"] if "ec2:CreateAction" = "CreateRouteTable";
    ADD = EC2.CreateRoute on ["route-table/{id}"];
    TURN = EC2.ReplaceRoute on ["route-table/{id}"];
    DROP = EC2.DeleteRoute on ["route-table/{id}"];
    ASSOCIATE = EC2.AssociateRouteTable on ["route-table/{id}", "subnet/*"];
    DISASSOCIATE = EC2.DisassociateRouteTable on ["route-table/{id}", "subnet/*"];
    DELETE = EC2.DeleteRouteTable on ["route-table/{id}"];
}

impl Reconcile for RouteTable {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described =
            find(wanted, BY_ID, Described::route_table_id, |filter| describe(cloud, filter))
                .await?;
        described.into_iter().map(|table| found(cloud, table)).collect()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(ResourceType::RouteTable, subject, want.tags.as_ref());
        let request =
            cloud.ec2.create_route_table().vpc_id(want.vpc.as_str()).tag_specifications(tags);
        let made = cloud.send(CREATE, request.send()).await?.route_table;
        let id = made.and_then(|made| made.route_table_id);
        let id = id.ok_or_else(|| absent(CREATE, "an id"))?;
        set_routes(cloud, &id, &[], &want.routes).await.map_err(half_made(&id))?;
        set_subnets(cloud, &id, &[], &want.subnets).await.map_err(half_made(&id))?;
        Ok(id)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (id, want) = (subject.id()?, &change.want);
        if change.has("routes") || change.has("subnets") {
            let now = describe_one(cloud, id).await?;
            let now = now.ok_or_else(|| Failure::invalid(format!("{id} is gone")))?;
            if change.has("routes") {
                let routes = own_routes(now.routes.unwrap_or_default());
                set_routes(cloud, id, &routes, &want.routes).await?;
            }
            if change.has("subnets") {
                let associations = now.associations.unwrap_or_default();
                set_subnets(cloud, id, &associations, &want.subnets).await?;
            }
        }
        tags::update(cloud, id, &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let id = subject.id()?;
        let Some(now) = describe_one(cloud, id).await? else { return Ok(()) };
        set_subnets(cloud, id, &now.associations.unwrap_or_default(), &[]).await?;
        let request = cloud.ec2.delete_route_table().route_table_id(id);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    /// Refuses a route with no target or two, at plan time.
    fn expand(fields: Data) -> Result<Data, Failure> {
        if let Some(Data::List(routes)) = fields.get("routes") {
            for route in routes {
                let targets = ["internet_gateway", "nat_gateway"];
                let given = targets.iter().filter(|target| route.get(target).is_some()).count();
                if given != 1 {
                    let to = route.get("destination").map(Data::plain_text).unwrap_or_default();
                    return Err(Failure::invalid(format!(
                        "the route for `{to}` has {given} targets, and must have one: {}",
                        targets.join(" or ")
                    )));
                }
            }
        }
        Ok(fields)
    }
}

const BY_ID: &str = "route-table-id";

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<Described>, Failure> {
    under_filter!(cloud, LIST, describe_route_tables().filters(filter) => route_tables).await
}

async fn describe_one(cloud: &Aws, id: &str) -> Result<Option<Described>, Failure> {
    let this = Filter::builder().name(BY_ID).values(id).build();
    let is = |table: &Described| table.route_table_id.as_deref() == Some(id);
    Ok(describe(cloud, this).await?.into_iter().find(is))
}

fn found(cloud: &Aws, table: Described) -> Result<Found<RouteTable>, Failure> {
    let id = table.route_table_id.ok_or_else(|| absent(LIST, "an id"))?;
    let (owner, own_tags) = tags::split(table.tags);
    let subnets = table.associations.unwrap_or_default().into_iter().filter_map(|a| a.subnet_id);
    Ok(Found {
        observed: RouteTableObserved {
            vpc: table.vpc_id.map(Id::existing),
            routes: Some(own_routes(table.routes.unwrap_or_default())),
            subnets: Some(subnets.map(Id::existing).collect()),
            tags: Some(own_tags),
        },
        outputs: RouteTableOutputs {
            id: Id::existing(&id),
            arn: cloud.arn("ec2", &format!("route-table/{id}")),
        },
        id,
        status: Status::Ready,
        owner,
    })
}

/// The routes that somebody wrote: neither the VPC's own, nor propagated, nor of a gateway endpoint.
fn own_routes(routes: Vec<DescribedRoute>) -> Vec<Route> {
    let written = routes.into_iter().filter(|r| r.origin == Some(RouteOrigin::CreateRoute));
    written
        .filter_map(|route| {
            let internet = route.gateway_id.filter(|id| id.starts_with("igw-"));
            Some(Route {
                destination: route.destination_cidr_block.or(route.destination_ipv6_cidr_block)?,
                internet_gateway: internet.map(Id::existing),
                nat_gateway: route.nat_gateway_id.map(Id::existing),
            })
        })
        .collect()
}

/// Makes the table's routes what they should be; a table has one route per destination.
async fn set_routes(cloud: &Aws, id: &str, now: &[Route], want: &[Route]) -> Result<(), Failure> {
    for route in want {
        let same = now.iter().find(|now| now.destination == route.destination);
        match same {
            Some(now) if now == route => {}
            Some(_) => turn(cloud, id, route).await?,
            None => add(cloud, id, route).await?,
        }
    }
    let left = |now: &&Route| !want.iter().any(|want| want.destination == now.destination);
    for route in now.iter().filter(left) {
        let request = cloud.ec2.delete_route().route_table_id(id);
        let request = match is_ipv6(&route.destination) {
            true => request.destination_ipv6_cidr_block(&route.destination),
            false => request.destination_cidr_block(&route.destination),
        };
        cloud.find(DROP, request.send()).await?;
    }
    Ok(())
}

/// Writes a route into a request, which `CreateRoute` and `ReplaceRoute` take in the same way.
macro_rules! route_to {
    ($request:expr, $id:expr, $route:expr) => {{
        let to: &Route = $route;
        let request = $request
            .route_table_id($id)
            .set_gateway_id(to.internet_gateway.as_ref().map(Id::to_string))
            .set_nat_gateway_id(to.nat_gateway.as_ref().map(Id::to_string));
        match is_ipv6(&to.destination) {
            true => request.destination_ipv6_cidr_block(&to.destination),
            false => request.destination_cidr_block(&to.destination),
        }
        .send()
    }};
}

async fn add(cloud: &Aws, id: &str, route: &Route) -> Result<(), Failure> {
    cloud.send_to_new(ADD, || route_to!(cloud.ec2.create_route(), id, route)).await.map(drop)
}

async fn turn(cloud: &Aws, id: &str, route: &Route) -> Result<(), Failure> {
    cloud.send(TURN, route_to!(cloud.ec2.replace_route(), id, route)).await.map(drop)
}

fn is_ipv6(cidr: &str) -> bool {
    cidr.contains(':')
}

/// Makes the subnets that follow the table what they should be, each by one association.
async fn set_subnets(
    cloud: &Aws,
    id: &str,
    now: &[RouteTableAssociation],
    want: &[Id<Subnet>],
) -> Result<(), Failure> {
    let kept = drop_surplus(cloud, now, want).await?;
    let missing: Vec<_> = want.iter().filter(|subnet| !kept.contains(subnet.as_str())).collect();
    for subnet in &missing {
        let request =
            cloud.ec2.associate_route_table().route_table_id(id).subnet_id(subnet.as_str());
        cloud.send_to_new(ASSOCIATE, || request.clone().send()).await?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    // A call whose answer was lost is sent again, and may have had its effect twice.
    let now = describe_one(cloud, id).await?.and_then(|now| now.associations).unwrap_or_default();
    drop_surplus(cloud, &now, want).await.map(drop)
}

/// Takes away associations that aren't wanted, and of those with one subnet all but the first; answers the
/// subnets that are left.
async fn drop_surplus<'n>(
    cloud: &Aws,
    now: &'n [RouteTableAssociation],
    want: &[Id<Subnet>],
) -> Result<BTreeSet<&'n str>, Failure> {
    let mut kept = BTreeSet::new();
    for association in now {
        let Some(subnet) = association.subnet_id.as_deref() else { continue };
        let wanted = want.iter().any(|want| want.as_str() == subnet);
        if !(wanted && kept.insert(subnet)) {
            let id = association.route_table_association_id.clone();
            let request = cloud.ec2.disassociate_route_table().set_association_id(id);
            cloud.find(DISASSOCIATE, request.send()).await?;
        }
    }
    Ok(kept)
}
