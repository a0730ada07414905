"""Lists what an AWS account holds, as a JSON list of lines: ENDPOINT REGION ACCESS_KEY SECRET_KEY."""

import json
import sys

import boto3
from botocore.config import Config

ENDPOINT, REGION, ACCESS_KEY, SECRET_KEY = sys.argv[1:5]
LINES = []


def client(service):
    config = Config(
        retries={"max_attempts": 3},
        connect_timeout=5,
        read_timeout=20,
        proxies={},
        s3={"addressing_style": "path"},
    )
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=config,
    )


def every(api, operation, key, **arguments):
    """Every item of a list call, over all pages."""
    if api.can_paginate(operation):
        pages = api.get_paginator(operation).paginate(**arguments)
    else:
        pages = [getattr(api, operation)(**arguments)]
    return [item for page in pages for item in page.get(key, [])]


def add(kind, identity, /, **details):
    said = {k: v for k, v in details.items() if v not in (None, "", [], {})}
    LINES.append(f"{kind} {identity} {json.dumps(said, sort_keys=True, default=str)}")


def tags(item, key="Tags"):
    return {tag["Key"]: tag["Value"] for tag in item.get(key) or []}


def ec2():
    api = client("ec2")
    for vpc in every(api, "describe_vpcs", "Vpcs"):
        add("ec2/vpc", vpc["VpcId"], cidr=vpc["CidrBlock"], tags=tags(vpc))
    for subnet in every(api, "describe_subnets", "Subnets"):
        add(
            "ec2/subnet",
            subnet["SubnetId"],
            vpc=subnet["VpcId"],
            cidr=subnet["CidrBlock"],
            zone=subnet["AvailabilityZone"],
            public=subnet.get("MapPublicIpOnLaunch"),
            tags=tags(subnet),
        )
    for gateway in every(api, "describe_internet_gateways", "InternetGateways"):
        attached = [attachment["VpcId"] for attachment in gateway["Attachments"]]
        add("ec2/internet-gateway", gateway["InternetGatewayId"], attached=attached, tags=tags(gateway))
    for gateway in every(api, "describe_nat_gateways", "NatGateways"):
        # A deleted one stays listed for an hour on AWS, for ever here.
        if gateway["State"] != "deleted":
            add("ec2/nat-gateway", gateway["NatGatewayId"], subnet=gateway["SubnetId"], tags=tags(gateway))
    for address in every(api, "describe_addresses", "Addresses"):
        add("ec2/address", address["AllocationId"], tags=tags(address))
    for table in every(api, "describe_route_tables", "RouteTables"):
        routes = [{k: v for k, v in route.items() if k not in ("Origin", "State")} for route in table["Routes"]]
        subnets = sorted(a["SubnetId"] for a in table["Associations"] if "SubnetId" in a)
        add(
            "ec2/route-table",
            table["RouteTableId"],
            vpc=table["VpcId"],
            routes=sorted(routes, key=str),
            subnets=subnets,
            tags=tags(table),
        )
    for group in every(api, "describe_security_groups", "SecurityGroups"):
        add("ec2/security-group", group["GroupId"], name=group["GroupName"], vpc=group.get("VpcId"), tags=tags(group))
    for rule in every(api, "describe_security_group_rules", "SecurityGroupRules"):
        add(
            "ec2/security-group-rule",
            f'{rule["GroupId"]} {"egress" if rule["IsEgress"] else "ingress"}',
            protocol=rule["IpProtocol"],
            ports=[rule.get("FromPort"), rule.get("ToPort")],
            source=rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("ReferencedGroupInfo"),
            description=rule.get("Description"),
            tags=tags(rule),
        )
    for endpoint in every(api, "describe_vpc_endpoints", "VpcEndpoints"):
        add("ec2/vpc-endpoint", endpoint["VpcEndpointId"], service=endpoint["ServiceName"], tags=tags(endpoint))
    for interface in every(api, "describe_network_interfaces", "NetworkInterfaces"):
        add("ec2/network-interface", interface["NetworkInterfaceId"], vpc=interface.get("VpcId"))


def eks():
    api = client("eks")
    for name in every(api, "list_clusters", "clusters"):
        cluster = api.describe_cluster(name=name)["cluster"]
        labels = api.list_tags_for_resource(resourceArn=cluster["arn"])["tags"]
        add("eks/cluster", name, version=cluster.get("version"), role=cluster.get("roleArn"), tags=labels)
        for group in every(api, "list_nodegroups", "nodegroups", clusterName=name):
            seen = api.describe_nodegroup(clusterName=name, nodegroupName=group)["nodegroup"]
            add("eks/node-group", f"{name}/{group}", scaling=seen.get("scalingConfig"), tags=seen.get("tags"))
        for addon in every(api, "list_addons", "addons", clusterName=name):
            seen = api.describe_addon(clusterName=name, addonName=addon)["addon"]
            add("eks/addon", f"{name}/{addon}", version=seen.get("addonVersion"), tags=seen.get("tags"))
        for principal in every(api, "list_access_entries", "accessEntries", clusterName=name):
            entry = api.describe_access_entry(clusterName=name, principalArn=principal)["accessEntry"]
            policies = every(
                api,
                "list_associated_access_policies",
                "associatedAccessPolicies",
                clusterName=name,
                principalArn=principal,
            )
            granted = sorted(f'{p["policyArn"]} {json.dumps(p["accessScope"], sort_keys=True)}' for p in policies)
            groups = entry.get("kubernetesGroups")
            add("eks/access-entry", f"{name}/{principal}", groups=groups, policies=granted)
        for seen in every(api, "list_pod_identity_associations", "associations", clusterName=name):
            found = api.describe_pod_identity_association(clusterName=name, associationId=seen["associationId"])
            role = found["association"]["roleArn"]
            add("eks/pod-identity", f'{name}/{seen["namespace"]}/{seen["serviceAccount"]}', role=role)


def rds():
    api = client("rds")
    for instance in every(api, "describe_db_instances", "DBInstances"):
        add(
            "rds/instance",
            instance["DBInstanceIdentifier"],
            engine=f'{instance["Engine"]} {instance["EngineVersion"]}',
            size=instance["DBInstanceClass"],
            storage=instance["AllocatedStorage"],
            protected=instance.get("DeletionProtection"),
            tags=tags(instance, "TagList"),
        )
    for group in every(api, "describe_db_subnet_groups", "DBSubnetGroups"):
        subnets = sorted(subnet["SubnetIdentifier"] for subnet in group["Subnets"])
        add("rds/subnet-group", group["DBSubnetGroupName"], subnets=subnets)
    for group in every(api, "describe_db_parameter_groups", "DBParameterGroups"):
        if not group["DBParameterGroupName"].startswith("default."):
            add("rds/parameter-group", group["DBParameterGroupName"], family=group["DBParameterGroupFamily"])
    for snapshot in every(api, "describe_db_snapshots", "DBSnapshots"):
        add("rds/snapshot", snapshot["DBSnapshotIdentifier"], instance=snapshot["DBInstanceIdentifier"])


def elasticache():
    api = client("elasticache")
    for group in every(api, "describe_replication_groups", "ReplicationGroups"):
        add("elasticache/replication-group", group["ReplicationGroupId"], size=group.get("CacheNodeType"))
    for cluster in every(api, "describe_cache_clusters", "CacheClusters"):
        version = f'{cluster["Engine"]} {cluster["EngineVersion"]}'
        add("elasticache/cluster", cluster["CacheClusterId"], engine=version)
    for group in every(api, "describe_cache_subnet_groups", "CacheSubnetGroups"):
        add("elasticache/subnet-group", group["CacheSubnetGroupName"], vpc=group.get("VpcId"))
    for group in every(api, "describe_cache_parameter_groups", "CacheParameterGroups"):
        if not group["CacheParameterGroupName"].startswith("default."):
            add("elasticache/parameter-group", group["CacheParameterGroupName"])
    for user in every(api, "describe_users", "Users"):
        add("elasticache/user", user["UserId"], access=user.get("AccessString"))
    for group in every(api, "describe_user_groups", "UserGroups"):
        add("elasticache/user-group", group["UserGroupId"], users=sorted(group.get("UserIds", [])))


def iam():
    api = client("iam")
    pages = api.get_paginator("get_account_authorization_details").paginate(
        Filter=["User", "Role", "LocalManagedPolicy"]
    )
    for page in pages:
        for role in page["RoleDetailList"]:
            add(
                "iam/role",
                role["Path"] + role["RoleName"],
                trust=role["AssumeRolePolicyDocument"],
                inline={p["PolicyName"]: p["PolicyDocument"] for p in role["RolePolicyList"]},
                attached=sorted(p["PolicyArn"] for p in role["AttachedManagedPolicies"]),
                tags=tags(role),
            )
        for user in page["UserDetailList"]:
            add("iam/user", user["UserName"], attached=sorted(p["PolicyArn"] for p in user["AttachedManagedPolicies"]))
        for policy in page["Policies"]:
            documents = [v["Document"] for v in policy["PolicyVersionList"] if v["IsDefaultVersion"]]
            add("iam/policy", policy["Arn"], document=documents)
    for provider in api.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        seen = api.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
        add("iam/oidc-provider", provider["Arn"], audiences=sorted(seen.get("ClientIDList", [])))
    for profile in every(api, "list_instance_profiles", "InstanceProfiles"):
        roles = [role["RoleName"] for role in profile["Roles"]]
        add("iam/instance-profile", profile["InstanceProfileName"], roles=roles)


def rest():
    api = client("ecr")
    for repository in every(api, "describe_repositories", "repositories"):
        add("ecr/repository", repository["repositoryName"], mutability=repository.get("imageTagMutability"))
    api = client("secretsmanager")
    for secret in every(api, "list_secrets", "SecretList", IncludePlannedDeletion=True):
        state = "marked for deletion" if secret.get("DeletedDate") else None
        add("secretsmanager/secret", secret["Name"], state=state, tags=tags(secret))
    api = client("kms")
    for key in every(api, "list_keys", "Keys"):
        seen = api.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        add("kms/key", key["KeyId"], state=seen["KeyState"], description=seen.get("Description"))
    for alias in every(api, "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith("alias/aws/"):
            add("kms/alias", alias["AliasName"], key=alias.get("TargetKeyId"))
    for bucket in client("s3").list_buckets()["Buckets"]:
        add("s3/bucket", bucket["Name"])
    for group in every(client("logs"), "describe_log_groups", "logGroups"):
        add("logs/group", group["logGroupName"], days=group.get("retentionInDays"))
    for zone in every(client("route53"), "list_hosted_zones", "HostedZones"):
        add("route53/zone", zone["Id"], name=zone["Name"])
    for certificate in every(client("acm"), "list_certificates", "CertificateSummaryList"):
        add("acm/certificate", certificate["CertificateArn"], domain=certificate.get("DomainName"))


for service in (ec2, eks, rds, elasticache, iam, rest):
    service()
print(json.dumps(LINES))
