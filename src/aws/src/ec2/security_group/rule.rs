//! One rule of a security group.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>

use super::SecurityGroup;
use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, SecurityGroupRule, SecurityGroupRuleRequest,
    UserIdGroupPair,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One rule: a protocol and ports, and who is on the other side.
///
/// `Rule::new().port(5432).group(server.id)` admits the members of another group to PostgreSQL.
#[derive(Clone, Debug, Default, PartialEq, Nested, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, a protocol's number, or `all`. Default: `tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The port, or the first of several. Default: all ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The last port. Default: `port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_port: Option<u16>,
    /// The other side by IPv4 or IPv6 addresses, such as `10.0.0.0/16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// The other side by membership in a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Id<SecurityGroup>>,
    /// The other side is this very group: its members reach each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<bool>,
    /// The other side by a managed prefix list, `pl-…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_list: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The ways to say who is on the other side; a rule has one of them.
const SIDES: [&str; 4] = ["cidr", "group", "members", "prefix_list"];

/// EC2's word for every protocol.
const ALL: &str = "-1";

/// Protocols that have ports.
fn has_ports(protocol: &str) -> bool {
    matches!(protocol, "tcp" | "udp")
}

/// Writes out what a rule leaves to its defaults, so that a wider rule is never taken for this one.
pub(super) fn expand(rule: Data) -> Result<Data, Failure> {
    // A rule that isn't known yet is expanded when it is.
    let Data::Map(mut rule) = rule else { return Ok(rule) };
    rule.retain(|_, value| *value != Data::Null);
    check_sides(&rule)?;
    let text = |text: &str| Data::Text(text.to_owned());
    let port = |port: u16| Data::Number(port.into());
    let protocol = rule.entry("protocol".to_owned()).or_insert_with(|| text("tcp")).plain_text();
    let given = rule.get("port").cloned();
    match given {
        _ if !has_ports(&protocol) => {
            if given.is_some() || rule.contains_key("last_port") {
                return Err(Failure::invalid(format!("protocol `{protocol}` has no ports")));
            }
        }
        Some(first) => drop(rule.entry("last_port".to_owned()).or_insert(first)),
        None if rule.contains_key("last_port") => {
            return Err(Failure::invalid("a rule with a last port needs a first one, `port`"));
        }
        None => {
            rule.insert("port".to_owned(), port(0));
            rule.insert("last_port".to_owned(), port(u16::MAX));
        }
    }
    Ok(Data::Map(rule))
}

fn check_sides(rule: &BTreeMap<String, Data>) -> Result<(), Failure> {
    let given: Vec<&str> = SIDES.into_iter().filter(|side| rule.contains_key(*side)).collect();
    match given.as_slice() {
        ["members"] if rule["members"] != Data::Bool(true) => {
            Err(Failure::invalid("`members` is true or not given at all"))
        }
        [_] => Ok(()),
        _ => Err(Failure::invalid(format!(
            "a rule names the other side once, by {}; this one by {}",
            SIDES.join(", "),
            if given.is_empty() { "none".to_owned() } else { given.join(" and ") }
        ))),
    }
}

impl Rule {
    /// Whether it admits exactly what the other one does, whatever they say about themselves.
    pub(super) fn admits_as(&self, other: &Rule) -> bool {
        let bare = |rule: &Rule| Rule { description: None, ..rule.clone() };
        bare(self) == bare(other)
    }

    /// The protocol as EC2 writes it.
    fn wire_protocol(&self) -> &str {
        match self.protocol.as_deref() {
            Some("all") => ALL,
            Some(protocol) => protocol,
            None => "tcp",
        }
    }

    /// The ports as EC2 writes them: -1 where the protocol has none.
    fn wire_ports(&self) -> (i32, i32) {
        let of = |port: Option<u16>| port.map_or(-1, i32::from);
        (of(self.port), of(self.last_port))
    }

    /// The rule without its other side, from EC2's words.
    fn from_wire(protocol: Option<&str>, from: Option<i32>, to: Option<i32>) -> Self {
        let protocol = match protocol {
            Some(ALL) | None => "all",
            Some(protocol) => protocol,
        };
        let ports = |port: Option<i32>| {
            port.filter(|_| has_ports(protocol)).and_then(|port| u16::try_from(port).ok())
        };
        Self {
            protocol: Some(protocol.to_owned()),
            port: ports(from),
            last_port: ports(to),
            ..Self::default()
        }
    }

    fn with_group(self, group: Option<&str>, own: &str) -> Self {
        match group {
            Some(group) if group == own => Self { members: Some(true), ..self },
            group => Self { group: group.map(Id::existing), ..self },
        }
    }

    /// The rules that a group's description folds into one permission.
    pub(super) fn of_permission(folded: &IpPermission, own: &str) -> Vec<Self> {
        let rule = || Self::from_wire(folded.ip_protocol(), folded.from_port, folded.to_port);
        let text = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
        let by_cidr =
            |cidr, description| Self { cidr: text(cidr), description: text(description), ..rule() };
        let v4 = folded.ip_ranges().iter().map(|r| by_cidr(r.cidr_ip(), r.description()));
        let v6 = folded.ipv6_ranges().iter().map(|r| by_cidr(r.cidr_ipv6(), r.description()));
        let groups = folded.user_id_group_pairs().iter().map(|pair| {
            let rule = Self { description: text(pair.description()), ..rule() };
            rule.with_group(pair.group_id(), own)
        });
        let lists = folded.prefix_list_ids().iter().map(|list| Self {
            prefix_list: text(list.prefix_list_id()),
            description: text(list.description()),
            ..rule()
        });
        v4.chain(v6).chain(groups).chain(lists).collect()
    }

    /// A rule as EC2 lists it by itself.
    pub(super) fn of_rule(rule: &SecurityGroupRule, own: &str) -> Self {
        let group = rule.referenced_group_info().and_then(|info| info.group_id());
        let text = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
        Self {
            cidr: text(rule.cidr_ipv4()).or_else(|| text(rule.cidr_ipv6())),
            prefix_list: text(rule.prefix_list_id()),
            description: text(rule.description()),
            ..Self::from_wire(rule.ip_protocol(), rule.from_port, rule.to_port)
        }
        .with_group(group, own)
    }

    fn other_group<'a>(&'a self, own: &'a str) -> Option<&'a str> {
        if self.members == Some(true) { Some(own) } else { self.group.as_ref().map(Id::as_str) }
    }

    /// The permission that authorises it.
    pub(super) fn permission(&self, own: &str) -> IpPermission {
        let (from, to) = self.wire_ports();
        let permission =
            IpPermission::builder().ip_protocol(self.wire_protocol()).from_port(from).to_port(to);
        let about = self.description.clone();
        if let Some(group) = self.other_group(own) {
            let pair = UserIdGroupPair::builder().group_id(group).set_description(about).build();
            return permission.user_id_group_pairs(pair).build();
        }
        if let Some(list) = &self.prefix_list {
            let list = PrefixListId::builder().prefix_list_id(list).set_description(about).build();
            return permission.prefix_list_ids(list).build();
        }
        match self.cidr.clone() {
            Some(cidr) if cidr.contains(':') => {
                let range = Ipv6Range::builder().cidr_ipv6(cidr).set_description(about).build();
                permission.ipv6_ranges(range).build()
            }
            cidr => {
                let range = IpRange::builder().set_cidr_ip(cidr).set_description(about).build();
                permission.ip_ranges(range).build()
            }
        }
    }

    /// The same as a request to rewrite a rule that is there.
    pub(super) fn request(&self, own: &str) -> SecurityGroupRuleRequest {
        let (from, to) = self.wire_ports();
        let (v6, v4) = match self.cidr.clone() {
            Some(cidr) if cidr.contains(':') => (Some(cidr), None),
            cidr => (None, cidr),
        };
        SecurityGroupRuleRequest::builder()
            .ip_protocol(self.wire_protocol())
            .from_port(from)
            .to_port(to)
            .set_cidr_ipv4(v4)
            .set_cidr_ipv6(v6)
            .set_prefix_list_id(self.prefix_list.clone())
            .set_referenced_group_id(self.other_group(own).map(str::to_owned))
            .set_description(self.description.clone())
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn check(written: Json, expanded: Result<Json, &str>) {
        let got = expand(Data::from_json(&written)).map(|data| data.to_json());
        assert_eq!(got.map_err(|failure| failure.message), expanded.map_err(str::to_owned));
    }

    #[test]
    fn rules_are_written_out() {
        let out = |port: u16, last: u16| json!({"protocol": "tcp", "port": port, "last_port": last, "cidr": "::/0"});
        check(json!({"port": 443, "cidr": "::/0"}), Ok(out(443, 443)));
        check(json!({"port": 1, "last_port": 2, "cidr": "::/0"}), Ok(out(1, 2)));
        check(json!({"cidr": "::/0"}), Ok(out(0, 65535)));
        let all = json!({"protocol": "all", "members": true});
        check(all.clone(), Ok(all));
    }

    #[test]
    fn rules_that_are_not_clear_are_refused() {
        let sides =
            "a rule names the other side once, by cidr, group, members, prefix_list; this one by";
        check(json!({"port": 1}), Err(&format!("{sides} none")));
        check(json!({"cidr": "a", "group": "b"}), Err(&format!("{sides} cidr and group")));
        check(
            json!({"protocol": "all", "port": 1, "cidr": "a"}),
            Err("protocol `all` has no ports"),
        );
        check(
            json!({"last_port": 1, "cidr": "a"}),
            Err("a rule with a last port needs a first one, `port`"),
        );
    }

    #[test]
    fn a_rule_survives_the_wire() {
        for written in [
            json!({"port": 443, "cidr": "0.0.0.0/0", "description": "all"}),
            json!({"port": 1, "last_port": 9, "cidr": "::/0"}),
            json!({"protocol": "all", "members": true}),
            json!({"protocol": "icmp", "prefix_list": "pl-1"}),
            json!({"protocol": "udp", "port": 53, "group": "sg-2"}),
        ] {
            let rule: Rule = expand(Data::from_json(&written)).unwrap().parse().unwrap();
            assert_eq!(Rule::of_permission(&rule.permission("sg-1"), "sg-1"), [rule]);
        }
    }
}
