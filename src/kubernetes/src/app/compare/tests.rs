//! Live objects as API servers answer them, and what of them is ours.

use super::*;
use serde_json::json;

/// As with the default of an App.
fn ours(desired: &Json, live: &Json) -> Json {
    super::ours(desired, live, Conflicts::Take)
}

/// A live object whose fields are managed as given: ours, and another manager's.
fn live(mut object: Json, ours: Json, others: Json) -> Json {
    object["metadata"]["managedFields"] = json!([
        {"manager": "formwork", "operation": "Apply", "fieldsV1": ours},
        {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": others},
    ]);
    object
}

fn deployment_fields() -> Json {
    json!({
        "f:metadata": {"f:labels": {"f:app": {}, "f:formwork/node": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:template": {"f:spec": {"f:containers": {
                r#"k:{"name":"server"}"#: {
                    ".": {}, "f:name": {}, "f:image": {},
                    "f:resources": {"f:requests": {"f:cpu": {}}},
                    "f:ports": {r#"k:{"containerPort":8080,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {}}},
                    "f:env": {
                        r#"k:{"name":"A"}"#: {".": {}, "f:name": {}, "f:value": {}},
                    },
                },
            }}},
        },
    })
}

fn desired() -> Json {
    json!({
        "metadata": {"labels": {"app": "shop"}},
        "spec": {
            "replicas": 2,
            "template": {"spec": {
                "hostNetwork": false,
                "containers": [{
                    "name": "server", "image": "server:1",
                    "resources": {"requests": {"cpu": 0.5}},
                    "ports": [{"containerPort": 8080}],
                    "env": [{"name": "A", "value": ""}],
                }],
            }},
        },
    })
}

/// The same, as a server answers it: defaults, a sidecar of somebody's, other notations.
fn answered() -> Json {
    json!({
        "metadata": {"labels": {"app": "shop", "formwork/node": "shop", "theirs": "x"}, "uid": "u"},
        "spec": {
            "replicas": 2, "revisionHistoryLimit": 10,
            "template": {"spec": {
                "dnsPolicy": "ClusterFirst",
                "containers": [
                    {"name": "sidecar", "image": "proxy"},
                    {
                        "name": "server", "image": "server:1", "imagePullPolicy": "IfNotPresent",
                        "resources": {"requests": {"cpu": "500m"}},
                        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                        "env": [{"name": "A"}],
                    },
                ],
            }},
        },
        "status": {"replicas": 2},
    })
}

fn others() -> Json {
    json!({
        "f:metadata": {"f:labels": {"f:theirs": {}}},
        "f:spec": {"f:template": {"f:spec": {"f:containers": {
            r#"k:{"name":"sidecar"}"#: {".": {}, "f:name": {}, "f:image": {}},
        }}}},
        "f:status": {"f:replicas": {}},
    })
}

#[test]
fn what_the_server_adds_is_no_difference() {
    let live = live(answered(), deployment_fields(), others());
    let mut found = ours(&desired(), &live);
    // The marks are ours and not wanted by the overlay; the caller takes them out.
    found["metadata"]["labels"].as_object_mut().unwrap().remove("formwork/node");
    assert_eq!(found, desired());
}

#[test]
fn a_changed_value_is_one_difference() {
    let mut answer = answered();
    answer["spec"]["replicas"] = json!(5);
    let found = ours(&desired(), &live(answer, deployment_fields(), others()));
    assert_eq!(found["spec"]["replicas"], 5);
    assert_eq!(found["spec"]["template"], desired()["spec"]["template"]);
}

#[test]
fn what_was_ours_and_is_no_longer_wanted_shows() {
    let mut wanted = desired();
    wanted["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]);
    wanted["metadata"]["labels"] = json!({});
    let found = ours(&wanted, &live(answered(), deployment_fields(), others()));
    assert_eq!(found["spec"]["template"]["spec"]["containers"][0]["env"], json!([{"name": "A"}]));
    assert_eq!(found["metadata"]["labels"], json!({"app": "shop", "formwork/node": "shop"}));
}

#[test]
fn an_atomic_list_is_compared_whole_once_it_is_somebody_elses() {
    let wanted = json!({"spec": {"rules": [{"host": "a"}]}});
    let rules = |rules: Json, fields: Json, others: Json| {
        ours(&wanted, &live(json!({"metadata": {}, "spec": {"rules": rules}}), fields, others))
    };
    let mine = json!({"f:spec": {"f:rules": {}}});
    let defaulted = json!([{"host": "a", "path": "/"}]);
    assert_eq!(rules(defaulted.clone(), mine.clone(), json!({})), wanted);
    let theirs = rules(defaulted.clone(), json!({}), mine);
    assert_eq!(theirs["spec"]["rules"], defaulted);
}

#[test]
fn sets_hold_what_is_ours() {
    let fields = json!({"f:metadata": {"f:finalizers": {r#"v:"ours""#: {}}}});
    let others = json!({"f:metadata": {"f:finalizers": {r#"v:"theirs""#: {}}}});
    let object = json!({"metadata": {"finalizers": ["theirs", "ours"]}});
    let wanted = json!({"metadata": {"finalizers": ["ours"]}});
    assert_eq!(ours(&wanted, &live(object, fields, others)), wanted);
}

#[test]
fn texts_are_never_quantities() {
    let wanted = json!({"kind": "ConfigMap", "data": {"limits": "1Ki", "empty": ""}});
    let answer = json!({"kind": "ConfigMap", "metadata": {}, "data": {"limits": "1024"}});
    let found = ours(&wanted, &live(answer.clone(), json!({}), json!({})));
    assert_eq!(found["data"], answer["data"]);
}

#[test]
fn ports_that_differ_by_protocol_find_each_other() {
    let fields = json!({"f:spec": {"f:ports": {
        r#"k:{"port":53,"protocol":"TCP"}"#: {".": {}, "f:port": {}},
        r#"k:{"port":53,"protocol":"UDP"}"#: {".": {}, "f:port": {}},
    }}});
    let wanted = json!({"spec": {"ports": [{"port": 53, "name": "tcp"}, {"port": 53, "protocol": "UDP", "name": "udp"}]}});
    let answer = json!({"metadata": {}, "spec": {"ports": [
        {"port": 53, "protocol": "TCP", "name": "tcp", "targetPort": 53},
        {"port": 53, "protocol": "UDP", "name": "udp", "targetPort": 53},
    ]}});
    assert_eq!(ours(&wanted, &live(answer, fields, json!({}))), wanted);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Wanted objects of maps, atomic lists, keyed lists and scalars.
    fn wanted() -> impl Strategy<Value = Json> {
        let scalar = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            "[a-z0-9]{0,4}".prop_map(Json::from),
        ];
        let tree = scalar.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::btree_map("[a-e]{1,2}", inner.clone(), 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                prop::collection::btree_map("[a-e]{1,2}", inner, 1..3).prop_map(|items| {
                    items
                        .into_iter()
                        .map(|(name, value)| json!({"name": name, "value": value}))
                        .collect::<Vec<_>>()
                        .into()
                }),
            ]
        });
        prop::collection::btree_map("[a-e]{1,2}", tree, 0..4)
            .prop_map(|map| Json::Object(map.into_iter().collect()))
    }

    fn keyed(items: &[Json]) -> bool {
        let named = |item: &Json| item.get("name").is_some_and(Json::is_string);
        !items.is_empty() && items.iter().all(named)
    }

    /// The fields of a wanted value as the server records them.
    fn fields(value: &Json) -> Json {
        match value {
            Json::Object(map) => {
                Json::Object(map.iter().map(|(k, v)| (format!("f:{k}"), fields(v))).collect())
            }
            Json::Array(items) if keyed(items) => {
                let step = |item: &Json| format!("k:{}", json!({"name": item["name"]}));
                let mut map: Map<String, Json> =
                    items.iter().map(|item| (step(item), fields(item))).collect();
                map.values_mut().for_each(|item| item["."] = json!({}));
                Json::Object(map)
            }
            _ => json!({}),
        }
    }

    /// What a server makes of it: defaults in every map, items of others in keyed lists, zeros left out.
    fn served(value: &Json, seed: u32, shared: bool) -> Json {
        match value {
            Json::Object(map) => {
                let mut out: Map<String, Json> = map
                    .iter()
                    .filter(|(_, v)| seed.is_multiple_of(2) || !is_zero(v))
                    .map(|(k, v)| (k.clone(), served(v, seed, shared)))
                    .collect();
                out.insert("zz-default".into(), json!(seed));
                Json::Object(out)
            }
            Json::Array(items) if shared && keyed(items) => {
                let mut out: Vec<Json> = items
                    .iter()
                    .map(|item| {
                        // An item's key is never left out.
                        let mut out = served(item, seed, shared);
                        out["name"] = item["name"].clone();
                        out
                    })
                    .collect();
                let place = seed as usize % (out.len() + 1);
                out.insert(place, json!({"name": "zz-theirs", "value": 1}));
                out.into()
            }
            Json::Array(items) => {
                // Nobody else adds anything inside of a list that is one value.
                items.iter().map(|item| served(item, seed, false)).collect()
            }
            scalar => scalar.clone(),
        }
    }

    proptest! {
        #[test]
        fn defaults_and_others_items_are_never_a_difference(spec in wanted(), seed in any::<u32>()) {
            let wanted = json!({"spec": spec});
            let live = live(
                json!({"metadata": {}, "spec": served(&spec, seed, true)}),
                fields(&wanted),
                json!({}),
            );
            prop_assert_eq!(ours(&wanted, &live), wanted);
        }
    }
}

#[test]
fn what_others_hold_is_left_to_them_where_the_app_says_so() {
    let wanted = json!({"kind": "Deployment", "spec": {"replicas": 2, "paused": false}});
    let fields = json!({"f:spec": {"f:paused": {}}});
    let others = json!({"f:spec": {"f:replicas": {}}});
    let live = live(
        json!({"kind": "Deployment", "metadata": {}, "spec": {"replicas": 5, "paused": true}}),
        fields,
        others,
    );
    let replicas = |conflicts| super::ours(&wanted, &live, conflicts)["spec"]["replicas"].clone();
    assert_eq!(replicas(Conflicts::Take), json!(5));
    assert_eq!(replicas(Conflicts::Leave), json!(2));
    // What is ours is compared all the same.
    let left = super::ours(&wanted, &live, Conflicts::Leave);
    assert_eq!(left["spec"]["paused"], json!(true));
}

#[test]
fn a_key_that_leaves_a_map_which_is_ours_as_a_whole_is_a_change() {
    let wanted = json!({"kind": "Deployment", "spec": {
        "nodeSelector": {"disk": "ssd"},
        "selector": {"matchLabels": {"app": "a"}},
        "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}},
    }});
    let fields = json!({"f:spec": {
        "f:nodeSelector": {}, "f:selector": {}, "f:valueFrom": {"f:fieldRef": {}},
    }});
    let mut there = wanted.clone();
    there["spec"]["nodeSelector"]["zone"] = json!("a");
    there["spec"]["selector"]["matchLabels"]["tier"] = json!("b");
    // A default of the server's.
    there["spec"]["valueFrom"]["fieldRef"]["apiVersion"] = json!("v1");
    there["metadata"] = json!({});
    let mut expected = there.clone();
    expected["spec"]["valueFrom"] = wanted["spec"]["valueFrom"].clone();
    expected.as_object_mut().unwrap().remove("metadata");
    assert_eq!(ours(&wanted, &live(there, fields, json!({}))), expected);
}
