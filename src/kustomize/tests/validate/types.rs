//! Fields and values of Kubernetes' own kinds.

use super::{check, container};

const AT: &str = "spec.template.spec.containers[0]";

/// One field of a container, what is said of it, and at which field below the container.
fn in_container(lines: &str, expected: &[(&str, &str, &str)]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|(code, field, message)| format!("{code} Deployment web: {AT}{field}: {message}"))
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&container(lines), &expected);
}

#[test]
fn good_ones() {
    for lines in [
        "",
        "        env:\n        - {name: A, value: '1'}\n        - {name: B, value: x}\n",
        "        resources: {requests: {cpu: 1, memory: 1.5Gi}, limits: {cpu: 500m}}\n",
        "        ports:\n        - containerPort: 53\n        - {containerPort: 53, protocol: UDP}\n",
        "        readinessProbe: {httpGet: {port: http, path: /}}\n        livenessProbe: {tcpSocket: {port: 80}}\n",
        "        securityContext: null\n        workingDir:\n",
        "        imagePullPolicy: Always\n",
    ] {
        check(&container(lines), &[]);
    }
}

#[test]
fn unknown_fields() {
    in_container(
        "        redinessProbe: {}\n",
        &[("FWK001", ".redinessProbe", "there is no such field | did you mean `readinessProbe`?")],
    );
    in_container(
        "        ports:\n        - {containerPort: 80, wholly: unlike}\n",
        &[(
            "FWK001",
            ".ports[0].wholly",
            "there is no such field | the fields here are: containerPort, hostIP, hostPort, name, protocol",
        )],
    );
    // Case matters to the API server.
    in_container(
        "        imagepullpolicy: Always\n",
        &[(
            "FWK001",
            ".imagepullpolicy",
            "there is no such field | did you mean `imagePullPolicy`?",
        )],
    );
    check(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, lables: {x: y}}\ndatas: {}\n",
        &[
            "FWK001 ConfigMap a: metadata.lables: there is no such field | did you mean `labels`?",
            "FWK001 ConfigMap a: datas: there is no such field | did you mean `data`?",
        ],
    );
}

#[test]
fn wrong_types() {
    in_container(
        "        env:\n        - {name: PORT, value: 8080}\n",
        &[(
            "FWK002",
            ".env[0].value",
            "a string is expected, not `8080` | put it in quotes: \"8080\"",
        )],
    );
    in_container(
        "        ports:\n        - containerPort: '80'\n",
        &[(
            "FWK002",
            ".ports[0].containerPort",
            "an integer is expected, not the string \"80\" | take the quotes away, if there are any",
        )],
    );
    in_container(
        "        command: sleep\n",
        &[("FWK002", ".command", "a list is expected, not the string \"sleep\"")],
    );
    in_container("        env: {A: b}\n", &[("FWK002", ".env", "a list is expected, not a map")]);
    in_container(
        "        resources: []\n",
        &[("FWK002", ".resources", "a map is expected, not a list")],
    );
    in_container(
        "        args: [null]\n",
        &[("FWK002", ".args[0]", "an item is expected here, not null")],
    );
    in_container(
        "        readinessProbe: {httpGet: {port: 1.5}}\n",
        &[(
            "FWK002",
            ".readinessProbe.httpGet.port",
            "an integer or a string is expected, not `1.5`",
        )],
    );
    check(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {example.com/on: true}}\ndata: {on: yes, n: 1}\n",
        &[
            "FWK002 ConfigMap a: metadata.labels[\"example.com/on\"]: a string is expected, not `true` | put it in quotes: \"true\"",
            "FWK002 ConfigMap a: data.n: a string is expected, not `1` | put it in quotes: \"1\"",
        ],
    );
}

#[test]
fn missing_fields() {
    in_container(
        "        env:\n        - value: x\n        volumeMounts:\n        - {name: a, mountPath: null}\n",
        &[
            ("FWK003", ".env[0].name", "this field is required"),
            ("FWK003", ".volumeMounts[0].mountPath", "this field is required"),
        ],
    );
    check(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {}\n",
        &[
            "FWK003 StatefulSet db: spec.selector: this field is required",
            "FWK003 StatefulSet db: spec.template: this field is required",
        ],
    );
}

#[test]
fn values() {
    in_container(
        "        imagePullPolicy: Alway\n",
        &[(
            "FWK004",
            ".imagePullPolicy",
            "\"Alway\" is none of \"Always\", \"IfNotPresent\", \"Never\" | did you mean \"Always\"?",
        )],
    );
    in_container(
        "        resources: {requests: {memory: 512MB}}\n",
        &[(
            "FWK004",
            ".resources.requests.memory",
            "\"512MB\" is not a quantity | quantities look like `500m`, `2`, `1.5Gi`",
        )],
    );
    in_container(
        "        ports:\n        - containerPort: 4294967296\n",
        &[("FWK004", ".ports[0].containerPort", "4294967296 doesn't fit into 32 bits")],
    );
    check(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: plain text}\nstringData: {key: plain text}\n",
        &["FWK004 Secret a: data.key: \"plain text\" is not Base64"],
    );
    check(
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: a}\nspec: {renewTime: yesterday}\n",
        &[
            "FWK004 Lease a: spec.renewTime: \"yesterday\" is not a date and time such as 2030-01-31T12:00:00Z",
        ],
    );
}

#[test]
fn duplicates() {
    in_container(
        "        env:\n        - {name: A, value: a}\n        - {name: A, value: b}\n",
        &[("FWK005", ".env[1]", "name: A is in this list already")],
    );
    in_container(
        "        ports:\n        - {containerPort: 80}\n        - {containerPort: 80, protocol: TCP}\n",
        &[("FWK005", ".ports[1]", "containerPort: 80, protocol: TCP is in this list already")],
    );
}
