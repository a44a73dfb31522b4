//! Tests of permissions.

use super::*;

#[test]
fn a_viewer_reads_and_does_nothing_else() {
    let may = |permission: Permission| Role::Viewer.scope(permission.resource, permission.action);
    for permission in Permission::catalogue() {
        let reads = permission.action == Action::Read && permission.resource != Resource::Audit;
        // What users keep for themselves is theirs in every role.
        let expected = reads || permission.resource.is_private();
        assert_eq!(may(permission).is_some(), expected, "{permission}");
    }
}

#[test]
fn sales_people_work_on_their_own_leads_and_delete_none() {
    assert_eq!(Role::Sales.scope(Resource::Leads, Action::Update), Some(Scope::Own));
    assert_eq!(Role::Sales.scope(Resource::Leads, Action::Delete), None);
}

#[test]
fn every_permission_reads_back_and_nothing_else_is_one() {
    for permission in Permission::catalogue() {
        assert_eq!(permission.to_string().parse(), Ok(permission));
    }
    for text in
        ["", "leads", "leads:read", "leads:read:mine", "leads:manage:all", "audit:read:all", "a:b:c", "leads:read:all:"]
    {
        assert!(text.parse::<Permission>().is_err(), "{text}");
    }
}

#[test]
fn grants_cover_what_reaches_no_further() {
    let grants = |list: &[&str]| -> Grants {
        list.iter().map(|text| text.parse::<Permission>().expect("a permission")).collect()
    };
    let mine = grants(&["leads:read:own", "leads:read:team", "audit:read"]);
    assert_eq!(mine.scope(Resource::Leads, Action::Read), Some(Scope::Team));
    assert!(mine.cover(&grants(&["leads:read:own"])));
    assert!(!mine.cover(&grants(&["leads:read:all"])));
    assert!(!mine.cover(&grants(&["leads:update:own"])));
    assert!(Role::Owner.grants().cover(&Grants::all()));
    for role in Role::ALL {
        assert!(Role::Admin.grants().cover(&role.grants()));
    }
}

#[test]
fn roles_read_back() {
    let custom = RoleRef::Custom(RoleId::new(uuid::Uuid::nil()));
    for role in Role::ALL.map(RoleRef::from).into_iter().chain([custom]) {
        assert_eq!(role.to_string().parse(), Ok(role));
    }
    assert!("boss".parse::<RoleRef>().is_err());
}
