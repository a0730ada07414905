//! What the emulator lacks of EC2: things that aren't seen at once, and NAT gateways that take their time.

use crate::{
    replay::{Answer, Replay, ok},
    support::Thing,
};
use formwork_aws::ec2::{NatGateway, Subnet, Vpc};
use formwork_engine::{Draft, FailureKind, Id, Status};

/// As in <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.
fn refused(call: &'static str, code: &str) -> Answer {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>The vpc ID 'vpc-1' does not exist\
         </Message></Error></Errors><RequestID>r</RequestID></Response>"
    );
    Answer { call, status: 400, body }
}

fn made() -> Answer {
    ok("CreateVpc", "<CreateVpcResponse><vpc><vpcId>vpc-1</vpcId></vpc></CreateVpcResponse>")
}

fn vpc() -> impl Draft {
    Vpc::new().cidr("10.0.0.0/16").dns_hostnames(true)
}

#[tokio::test]
async fn what_was_just_made_may_not_be_seen_yet() {
    let (bench, replay) = Replay::bench([
        made(),
        refused("ModifyVpcAttribute", "InvalidVpcID.NotFound"),
        refused("ModifyVpcAttribute", "InvalidVpcID.NotFound"),
        ok(
            "ModifyVpcAttribute",
            "<ModifyVpcAttributeResponse><return>true</return></ModifyVpcAttributeResponse>",
        ),
    ]);
    let mut vpc = bench.thing("net", vpc());
    vpc.create().await.unwrap();
    assert_eq!(vpc.id(), "vpc-1");
    assert!(replay.only("CreateVpc").contains("formwork%3Aintent"));
    replay.done();
}

/// Nobody may conclude that nothing happened: there is a VPC.
#[tokio::test]
async fn a_creation_that_is_refused_half_way_is_not_taken_for_one_that_never_was() {
    let (bench, replay) =
        Replay::bench([made(), refused("ModifyVpcAttribute", "UnauthorizedOperation")]);
    let failure = bench.thing("net", vpc()).create().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Service);
    assert!(!failure.had_no_effect());
    assert_eq!(
        failure.message,
        "vpc-1 was made, but not finished: EC2 ModifyVpcAttribute: UnauthorizedOperation: The vpc ID \
         'vpc-1' does not exist (request ea966190-f9aa-478e-9ede-example)"
    );
    replay.done();
}

/// As in <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html>.
fn gateway(state: &str, more: &str) -> Answer {
    ok(
        "DescribeNatGateways",
        format!(
            "<DescribeNatGatewaysResponse><natGatewaySet><item><natGatewayId>nat-1</natGatewayId>\
             <subnetId>subnet-1</subnetId><state>{state}</state><natGatewayAddressSet><item>\
             <allocationId>eipalloc-1</allocationId><publicIp>203.0.113.25</publicIp></item>\
             </natGatewayAddressSet>{more}</item></natGatewaySet></DescribeNatGatewaysResponse>"
        ),
    )
}

#[tokio::test]
async fn a_nat_gateway_takes_its_time_to_come_and_to_go() {
    let failed = "<failureCode>Gateway.NotAttached</failureCode>\
                  <failureMessage>Network vpc-1 has no Internet gateway attached</failureMessage>";
    let (bench, replay) = Replay::bench([
        gateway("pending", ""),
        gateway("failed", failed),
        gateway("available", ""),
        gateway("deleting", ""),
        gateway("deleted", ""),
    ]);
    let draft = NatGateway::new().subnet(Id::<Subnet>::existing("subnet-1"));
    let mut nat: Thing<'_> = bench.thing("nat", draft.address(Id::existing("eipalloc-1")));
    nat.subject.id = Some("nat-1".into());

    let pending = nat.read().await.unwrap();
    assert_eq!(pending.status, Status::Pending("pending".into()));
    assert!(!pending.outputs.contains_key("id"), "no route may lead to it yet");
    let reason = "Gateway.NotAttached: Network vpc-1 has no Internet gateway attached";
    assert_eq!(nat.read().await.unwrap().status, Status::Failed(reason.into()));
    let (available, differences) = nat.look().await;
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!(available.fields["address"].plain_text(), "eipalloc-1");
    assert_eq!(nat.read().await.unwrap().status, Status::Deleting);
    assert_eq!(nat.read().await, None);
    replay.done();
}
