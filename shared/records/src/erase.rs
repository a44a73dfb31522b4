//! Erasure of a person's e-mail address or phone number from the unique constraints of all record types.

use daybook_domain::record::Personal;
use daybook_domain::{Claim, ClaimKind, Record as _, for_each_record_type};
use daybook_store::{Cx, Result};

/// Erases the claims of an address or number that no record has any more, so that nothing shows which record had it.
pub async fn forget_person(cx: &Cx, person: &str) -> Result<()> {
    let mut claims = Vec::new();
    for_each_record_type!(T => if let Personal::Unique(kind) = T::PERSONAL {
        for kind in [kind, ClaimKind::Phone] {
            claims.push((T::TYPE, Claim { kind, value: person.to_owned() }));
        }
    });
    for (of, claim) in claims {
        cx.erasure().claim(of, &claim).await?;
    }
    Ok(())
}
