//! Teams: users who reach each other's records.

use daybook_domain::TeamId;
use daybook_domain::team::{NewTeam, Team};
use daybook_http::{Created, Cx, Data, IfMatch, Json, ListQuery, Listed, Patch, Path, Result};
use daybook_store::Tx;

/// Lists teams, the newest first.
pub async fn list(cx: Cx, query: ListQuery<Team>) -> Result<Listed<Team>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Makes a team.
pub async fn create(cx: Cx, Json(new): Json<NewTeam>) -> Result<Created<Team>> {
    let team = Team::new(new, &cx.stamp())?;
    cx.commit(Tx::create(&team), Created(team)).await
}

/// Reads a team.
pub async fn read(cx: Cx, Path(id): Path<TeamId>) -> Result<Data<Team>> {
    cx.get(id).await.map(Data::stored)
}

/// Changes the fields that are named. Whom its members reach changes with their next request.
pub async fn update(
    cx: Cx,
    Path(id): Path<TeamId>,
    IfMatch(version): IfMatch,
    patch: Patch<Team>,
) -> Result<Data<Team>> {
    daybook_records::change(&cx, id, version, |team: &Team| patch.over(team), Data).await
}

/// Moves a team to the trash. Its members stay.
pub async fn delete(cx: Cx, Path(id): Path<TeamId>, IfMatch(version): IfMatch) -> Result<Data<Team>> {
    daybook_records::remove(&cx, id, version, Data::<Team>).await
}
