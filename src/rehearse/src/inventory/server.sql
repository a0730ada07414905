-- Roles and databases, one line each.
select format('role %s superuser=%s createdb=%s createrole=%s login=%s replication=%s bypassrls=%s password=%s',
              rolname, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolreplication, rolbypassrls,
              coalesce(split_part(rolpassword, '$', 1), 'none'))
  from pg_authid
 where rolname !~ '^pg_'
union all
select format('member %s of %s admin=%s', member.rolname, role.rolname, bool_or(grants.admin_option))
  from pg_auth_members grants
  join pg_authid role on role.oid = grants.roleid
  join pg_authid member on member.oid = grants.member
 where member.rolname !~ '^pg_'
 group by member.rolname, role.rolname
union all
select format('database %s owner=%s encoding=%s collate=%s ctype=%s template=%s connect=%s grants=%s',
              datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype,
              datistemplate, datallowconn,
              (select array_agg(item::text order by item::text)
                 from unnest(coalesce(datacl, acldefault('d', datdba))) item))
  from pg_database
union all
select format('setting database=%s role=%s %s',
              coalesce((select datname from pg_database where oid = setdatabase), '*'),
              case setrole when 0 then '*' else pg_get_userbyid(setrole) end, setconfig)
  from pg_db_role_setting
order by 1;
