-- What is in a database, one line each, without what every database is born with.
select format('schema %s owner=%s grants=%s', nspname, pg_get_userbyid(nspowner),
              (select array_agg(item::text order by item::text) from unnest(nspacl) item))
  from pg_namespace
 where nspname !~ '^pg_' and nspname <> 'information_schema'
union all
select format('relation %s.%s kind=%s owner=%s grants=%s', nspname, relname, relkind, pg_get_userbyid(relowner),
              (select array_agg(item::text order by item::text) from unnest(relacl) item))
  from pg_class
  join pg_namespace on pg_namespace.oid = relnamespace
 where nspname !~ '^pg_' and nspname <> 'information_schema' and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
union all
select format('function %s.%s owner=%s grants=%s', nspname, pg_proc.oid::regprocedure, pg_get_userbyid(proowner),
              (select array_agg(item::text order by item::text) from unnest(proacl) item))
  from pg_proc
  join pg_namespace on pg_namespace.oid = pronamespace
 where nspname !~ '^pg_' and nspname <> 'information_schema'
union all
select format('default role=%s schema=%s kind=%s grants=%s', pg_get_userbyid(defaclrole),
              coalesce((select nspname from pg_namespace where oid = defaclnamespace), '*'), defaclobjtype, defaclacl)
  from pg_default_acl
union all
select format('extension %s %s', extname, extversion)
  from pg_extension
 where extname <> 'plpgsql'
order by 1;
