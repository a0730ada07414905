//! Reading grants out of the catalogs, and into the form that a stack says them in.

use super::{
    ALL, FutureGrant, Grants, GrantsObserved, GrantsOutputs,
    held::{Held, Object},
    identifier,
    privilege::Privilege,
};
use crate::{
    Postgres,
    session::{Session, get},
};
use formwork_engine::{Failure, Found, Status, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// Privileges by schema and name.
type ByName<P> = BTreeMap<String, BTreeMap<String, Vec<P>>>;

/// What there is of a role's grants in a database.
pub(super) struct Seen {
    pub held: Held,
    pub database_owner: String,
    /// The tables and sequences in the schemas that the grants speak of, with whether the role owns them.
    there: BTreeMap<Object, bool>,
}

/// One role's grants in one database, `None` where one of the two isn't there.
pub(super) async fn one(cloud: &Postgres, grants: &Grants) -> Result<Option<Seen>, Failure> {
    Ok(see(cloud, &[grants]).await?.pop().flatten())
}

pub(super) async fn list(
    cloud: &Postgres,
    wanted: &[Subject],
) -> Result<Vec<Found<Grants>>, Failure> {
    // What isn't known yet can't be read yet.
    let known = wanted.iter().filter_map(|subject| Some((subject, declared(subject)?)));
    let (subjects, grants): (Vec<&Subject>, Vec<Grants>) = known.unzip();
    let seen = see(cloud, &grants.iter().collect::<Vec<_>>()).await?;
    let mut found = vec![];
    for ((subject, grants), seen) in subjects.iter().zip(&grants).zip(seen) {
        let Some(seen) = seen else { continue };
        if seen.held.within(&seen.wanted(grants)).is_empty() {
            continue;
        }
        let id = match &subject.id {
            Some(id) => id.clone(),
            None => identifier(&grants.role, &grants.database)?,
        };
        let (role, database) = (grants.role.clone(), grants.database.clone());
        let outputs = GrantsOutputs { role, database };
        let observed = seen.observed(grants);
        found.push(Found { id, observed, outputs, status: Status::Ready, owner: None });
    }
    Ok(found)
}

/// The grants that a subject is about: of the role and the database that it was made for.
fn declared(subject: &Subject) -> Option<Grants> {
    let mut grants: Grants = subject.inputs.parse().ok()?;
    if subject.id.is_some() {
        let recorded = |name: &str| Some(subject.outputs.get(name)?.as_str()?.to_owned());
        grants.role = recorded("role").unwrap_or(grants.role);
        grants.database = recorded("database").unwrap_or(grants.database);
    }
    Some(grants)
}

/// Reads the grants: one query for all databases, and one session in each database that needs it.
async fn see(cloud: &Postgres, grants: &[&Grants]) -> Result<Vec<Option<Seen>>, Failure> {
    let mut seen = on_databases(cloud, grants).await?;
    let mut inside: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, grants) in grants.iter().enumerate() {
        if seen[i].is_some() && grants.looks_inside() {
            inside.entry(&grants.database).or_default().push(i);
        }
    }
    for (database, of) in inside {
        let session = cloud.inside(database).await?;
        let read = within(&session, grants, &of, &mut seen).await;
        session.close().await;
        read.map_err(|failure| failure.context(format!("reading the grants in `{database}`")))?;
    }
    Ok(seen)
}

impl Grants {
    fn looks_inside(&self) -> bool {
        self.on_schemas.is_some()
            || self.on_tables.is_some()
            || self.on_sequences.is_some()
            || self.on_future.is_some()
    }

    /// The schemas whose tables or sequences it speaks of.
    fn schemas(&self) -> impl Iterator<Item = &str> {
        let tables = self.on_tables.iter().flat_map(BTreeMap::keys);
        tables.chain(self.on_sequences.iter().flat_map(BTreeMap::keys)).map(String::as_str)
    }
}

async fn on_databases(cloud: &Postgres, grants: &[&Grants]) -> Result<Vec<Option<Seen>>, Failure> {
    let roles: Vec<&str> = grants.iter().map(|grants| grants.role.as_str()).collect();
    let databases: Vec<&str> = grants.iter().map(|grants| grants.database.as_str()).collect();
    let rows = cloud
        .own()
        .await?
        .query(
            "SELECT w.i, pg_get_userbyid(d.datdba)::text, r.oid = d.datdba,
                ARRAY(SELECT a.privilege_type FROM aclexplode(d.datacl) a WHERE a.grantee = r.oid)
            FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(role, name, i)
            JOIN pg_roles r ON r.rolname = w.role JOIN pg_database d ON d.datname = w.name",
            &[&roles, &databases],
        )
        .await?;
    let mut seen: Vec<Option<Seen>> = grants.iter().map(|_| None).collect();
    for row in &rows {
        let at: i64 = get(row, 0)?;
        let at = usize::try_from(at - 1).unwrap_or_default();
        let words: Vec<String> = get(row, 3)?;
        let mut held = Held::default();
        let mut there = BTreeMap::from([(Object::Database, get::<bool>(row, 2)?)]);
        if !there[&Object::Database] {
            words.into_iter().for_each(|word| held.add(Object::Database, word));
        }
        there.retain(|_, owned| *owned);
        seen[at] = Some(Seen { held, database_owner: get(row, 1)?, there });
    }
    Ok(seen)
}

async fn within(
    session: &Session,
    grants: &[&Grants],
    of: &[usize],
    seen: &mut [Option<Seen>],
) -> Result<(), Failure> {
    let by_role: BTreeMap<&str, Vec<usize>> = of.iter().fold(BTreeMap::new(), |mut by_role, i| {
        by_role.entry(grants[*i].role.as_str()).or_insert_with(Vec::new).push(*i);
        by_role
    });
    let roles: Vec<&str> = by_role.keys().copied().collect();
    for row in session.query(HELD, &[&roles]).await? {
        let (role, word): (&str, String) = (get(&row, 0)?, get(&row, 5)?);
        let object = object(get(&row, 1)?, get(&row, 2)?, get(&row, 3)?, get(&row, 4)?);
        let Some(object) = object else { continue };
        for i in by_role.get(role).into_iter().flatten() {
            if let Some(seen) = &mut seen[*i] {
                seen.held.add(object.clone(), word.clone());
            }
        }
    }
    let schemas: BTreeSet<&str> = of.iter().flat_map(|i| grants[*i].schemas()).collect();
    let schemas: Vec<&str> = schemas.into_iter().collect();
    for row in session.query(THERE, &[&schemas]).await? {
        let object = object(get(&row, 0)?, Some(get(&row, 1)?), Some(get(&row, 2)?), None);
        let (Some(object), owner) = (object, get::<&str>(&row, 3)?) else { continue };
        for i in of {
            if let Some(seen) = &mut seen[*i] {
                seen.there.insert(object.clone(), owner == grants[*i].role);
            }
        }
    }
    Ok(())
}

fn object(
    of: &str,
    schema: Option<String>,
    name: Option<String>,
    owner: Option<String>,
) -> Option<Object> {
    Some(match (of, schema, name, owner) {
        ("schema", Some(schema), ..) => Object::Schema(schema),
        ("table", Some(schema), Some(name), _) => Object::Table(schema, name),
        ("sequence", Some(schema), Some(name), _) => Object::Sequence(schema, name),
        ("future table", Some(schema), _, Some(owner)) => Object::FutureTables { owner, schema },
        ("future sequence", Some(schema), _, Some(owner)) => {
            Object::FutureSequences { owner, schema }
        }
        _ => return None,
    })
}

/// The privileges of roles in this database on what others own.
const HELD: &str = "
    WITH wanted AS (SELECT oid, rolname::text AS role FROM pg_roles WHERE rolname = ANY($1::text[]))
    SELECT w.role, 'schema', n.nspname::text, NULL::text, NULL::text, a.privilege_type
    FROM pg_namespace n, aclexplode(n.nspacl) a JOIN wanted w ON w.oid = a.grantee
    WHERE n.nspowner <> a.grantee AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT w.role, CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END,
        n.nspname::text, c.relname::text, NULL, a.privilege_type
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        aclexplode(c.relacl) a JOIN wanted w ON w.oid = a.grantee
    WHERE c.relowner <> a.grantee AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT w.role, CASE d.defaclobjtype WHEN 'S' THEN 'future sequence' ELSE 'future table' END,
        n.nspname::text, NULL, pg_get_userbyid(d.defaclrole)::text, a.privilege_type
    FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace,
        aclexplode(d.defaclacl) a JOIN wanted w ON w.oid = a.grantee
    WHERE d.defaclobjtype IN ('r', 'S')";

/// The tables, views and sequences in schemas.
const THERE: &str = "
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END,
        n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')";

impl Seen {
    /// Whether the role owns it, so that it needs no grant.
    fn owns(&self, object: &Object) -> bool {
        self.there.get(object) == Some(&true)
    }

    /// The privileges that the grants mean, object by object.
    pub fn wanted(&self, grants: &Grants) -> Held {
        let mut wanted = Held::default();
        wanted.add_all(&Object::Database, grants.on_database.as_deref().unwrap_or_default());
        for (schema, privileges) in grants.on_schemas.iter().flatten() {
            wanted.add_all(&Object::Schema(schema.clone()), privileges);
        }
        self.expand(grants.on_tables.as_ref(), Object::Table, &mut wanted);
        self.expand(grants.on_sequences.as_ref(), Object::Sequence, &mut wanted);
        for FutureGrant { owner, schema, tables, sequences } in grants.on_future.iter().flatten() {
            let (owner, schema) = (owner.clone(), schema.clone());
            let future = Object::FutureTables { owner: owner.clone(), schema: schema.clone() };
            wanted.add_all(&future, tables.as_deref().unwrap_or_default());
            let future = Object::FutureSequences { owner, schema };
            wanted.add_all(&future, sequences.as_deref().unwrap_or_default());
        }
        wanted.only(|object| !self.owns(object))
    }

    /// What is there of one type in a schema.
    fn names_in(&self, schema: &str, of: fn(String, String) -> Object) -> Vec<String> {
        let names = self.there.keys().filter_map(|object| match object {
            Object::Table(of, name) | Object::Sequence(of, name) if of == schema => Some(name),
            _ => None,
        });
        let exact =
            |name: &&String| self.there.contains_key(&of(schema.to_owned(), name.to_string()));
        names.filter(exact).cloned().collect()
    }

    fn expand<P: Privilege>(
        &self,
        part: Option<&ByName<P>>,
        of: fn(String, String) -> Object,
        wanted: &mut Held,
    ) {
        for (schema, by_name) in part.into_iter().flatten() {
            for (name, privileges) in by_name.iter().filter(|(name, _)| *name != ALL) {
                wanted.add_all(&of(schema.clone(), name.clone()), privileges);
            }
            let Some(privileges) = by_name.get(ALL) else { continue };
            for name in self.names_in(schema, of) {
                if !by_name.contains_key(&name) {
                    wanted.add_all(&of(schema.clone(), name), privileges);
                }
            }
        }
    }

    /// What is held, in the form that the grants are written in; fields that they leave out stay out.
    fn observed(&self, grants: &Grants) -> GrantsObserved {
        let on_database =
            grants.on_database.as_ref().map(|wanted| match self.owns(&Object::Database) {
                true => wanted.clone(),
                false => self.held.on(&Object::Database),
            });
        let on_schemas = grants.on_schemas.as_ref().map(|wanted| {
            let mut schemas: BTreeMap<_, _> =
                wanted.keys().map(|schema| (schema.clone(), vec![])).collect();
            for object in self.held.objects() {
                if let Object::Schema(schema) = object {
                    schemas.insert(schema.clone(), self.held.on(object));
                }
            }
            schemas
        });
        GrantsObserved {
            role: Some(grants.role.clone()),
            database: Some(grants.database.clone()),
            on_database,
            on_schemas,
            on_tables: grants.on_tables.as_ref().map(|part| self.fold(part, Object::Table)),
            on_sequences: grants
                .on_sequences
                .as_ref()
                .map(|part| self.fold(part, Object::Sequence)),
            on_future: grants.on_future.as_ref().map(|part| self.futures(part)),
        }
    }

    /// The reverse of [`Seen::expand`]: what all have in common as [`ALL`] where that is how it is written, and
    /// each deviation by name.
    fn fold<P: Privilege + Ord + Clone>(
        &self,
        part: &ByName<P>,
        of: fn(String, String) -> Object,
    ) -> ByName<P> {
        let mut folded: ByName<P> = BTreeMap::new();
        let object = |schema: &str, name: &str| of(schema.to_owned(), name.to_owned());
        for (schema, by_name) in part {
            let found = folded.entry(schema.clone()).or_default();
            let names = self.names_in(schema, of);
            for name in names.iter().filter(|name| by_name.contains_key(*name)) {
                let object = object(schema, name);
                let held = match self.owns(&object) {
                    true => by_name[name].clone(),
                    false => self.held.on(&object),
                };
                found.insert(name.clone(), held);
            }
            let Some(all) = by_name.get(ALL) else { continue };
            let others: Vec<(&String, Vec<P>)> = names
                .iter()
                .filter(|name| !by_name.contains_key(*name))
                .map(|name| (name, object(schema, name)))
                .filter(|(_, object)| !self.owns(object))
                .map(|(name, object)| (name, self.held.on(&object)))
                .collect();
            let as_wanted = sorted(all);
            let common = match others.iter().any(|(_, held)| *held == as_wanted) {
                true => as_wanted,
                false if others.is_empty() => as_wanted,
                false => in_common(others.iter().map(|(_, held)| held)),
            };
            for (name, held) in others.into_iter().filter(|(_, held)| *held != common) {
                found.insert(name.clone(), held);
            }
            found.insert(ALL.to_owned(), common);
        }
        // What is held where the grants say nothing of it.
        for held in self.held.objects() {
            let (Object::Table(schema, name) | Object::Sequence(schema, name)) = held else {
                continue;
            };
            if *held == object(schema, name) {
                let by_name = part.get(schema);
                if by_name.is_none_or(|names| !names.contains_key(ALL)) {
                    let found = folded.entry(schema.clone()).or_default();
                    found.insert(name.clone(), self.held.on(held));
                }
            }
        }
        folded
    }

    fn futures(&self, wanted: &[FutureGrant]) -> Vec<FutureGrant> {
        let mut keys: BTreeSet<(String, String)> =
            wanted.iter().map(|future| (future.owner.clone(), future.schema.clone())).collect();
        for object in self.held.objects() {
            if let Object::FutureTables { owner, schema }
            | Object::FutureSequences { owner, schema } = object
            {
                keys.insert((owner.clone(), schema.clone()));
            }
        }
        keys.into_iter()
            .filter_map(|(owner, schema)| {
                let (of, within) = (owner.clone(), schema.clone());
                let tables = Object::FutureTables { owner: of.clone(), schema: within.clone() };
                let sequences = Object::FutureSequences { owner: of, schema: within };
                let (tables, sequences) = (self.held.on(&tables), self.held.on(&sequences));
                if tables.is_empty() && sequences.is_empty() {
                    return None;
                }
                let (tables, sequences) = (Some(tables), Some(sequences));
                Some(FutureGrant { owner, schema, tables, sequences })
            })
            .collect()
    }
}

fn sorted<P: Ord + Clone>(privileges: &[P]) -> Vec<P> {
    privileges.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn in_common<'p, P: Ord + Clone + 'p>(all: impl Iterator<Item = &'p Vec<P>>) -> Vec<P> {
    let sets = all.map(|held| held.iter().cloned().collect::<BTreeSet<_>>());
    let common = sets.reduce(|a, b| a.intersection(&b).cloned().collect());
    common.unwrap_or_default().into_iter().collect()
}
