//! Least rights for a project's agents and readers, and the rule that nothing is written twice, in the
//! language of AWS's policies. Printed for its owner to look at and apply; brigade applies nothing.

use serde_json::{Value, json};

use crate::codec::encode;
use crate::id::AgentId;
use crate::key::{Layout, Room};
use crate::store::address::{Address, Cloud};
use crate::store::open::Place;

/// Who is to be let in, or what is to be forbidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads everything and writes nothing.
    Reader,
    /// Writes as this agent: its own sessions, beats, cursor and mailbox, and what all may write.
    Agent(AgentId),
    /// For the bucket itself: what is written once is never written again, nor deleted.
    WriteOnce,
}

/// What is never written twice and never deleted. Left out are heartbeats and read cursors, which are
/// overwritten, and `artifacts/`: its bodies are put without a condition, since their keys are drawn,
/// and no pattern of AWS tells their names from those of the documents.
const ONCE: &[&str] = &[
    "project.json",
    "moved.json",
    "agents/*/*/hello.json",
    "agents/*/name.json",
    "steps/*",
    "comments/*",
    "files/*",
    "memory/*",
    "acks/*",
    "barriers/*",
    "events/*",
];
/// Never written twice, but deletable by its reader.
const MAIL: &str = "messages/*/*/*.json";

/// The policy for one role, for buckets that speak S3; `None` for other places.
pub fn of(place: &Place, layout: &Layout, role: &Role) -> Option<Value> {
    let Address::Bucket { cloud: Cloud::S3, name, prefix } = &place.address else { return None };
    let root = format!("{prefix}{}", layout.folder(&Room::All));
    let bucket = format!("arn:aws:s3:::{name}");
    let below = |rest: &str| format!("{bucket}/{root}{rest}");
    let all = |rests: &[&str]| rests.iter().map(|rest| below(rest)).collect::<Vec<_>>();
    let statements = match role {
        Role::Reader => vec![read(&bucket, &root, &below("*"))],
        Role::Agent(agent) => {
            let (me, others) = (encode(agent.as_str()), ["steps", "comments", "memory", "files"]);
            let mut mine = vec![
                below(&format!("agents/{me}/*")),
                below(&format!("messages/{me}/_cursor.json")),
                below(&format!("acks/*/*/*/{me}.json")),
                below(&format!("barriers/*/{me}.json")),
            ];
            mine.extend(others.iter().map(|room| below(&format!("{room}/*"))));
            mine.extend(all(&["messages/*/*/*.json", "artifacts/*", "events/*", "sessions/*"]));
            mine.extend(all(&["_proof/*", "project.json", "moved.json"]));
            vec![
                read(&bucket, &root, &below("*")),
                json!({ "Sid": "Write", "Effect": "Allow", "Action": "s3:PutObject", "Resource": mine }),
                json!({
                    "Sid": "DeleteOwnMail", "Effect": "Allow", "Action": "s3:DeleteObject",
                    "Resource": [below(&format!("messages/{me}/*/*.json")), below("_proof/*")]
                }),
                json!({
                    "Sid": "BreakOff", "Effect": "Allow",
                    "Action": ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                    "Resource": below("artifacts/*")
                }),
            ]
        }
        Role::WriteOnce => {
            let mut once = all(ONCE);
            let kept = once.clone();
            once.push(below(MAIL));
            vec![
                json!({
                    "Sid": "NothingIsWrittenTwice", "Effect": "Deny", "Principal": "*",
                    "Action": "s3:PutObject", "Resource": once,
                    "Condition": {
                        "Null": { "s3:if-none-match": "true" },
                        "Bool": { "s3:ObjectCreationOperation": "true" }
                    }
                }),
                json!({
                    "Sid": "NothingIsDeleted", "Effect": "Deny", "Principal": "*",
                    "Action": "s3:DeleteObject", "Resource": kept
                }),
            ]
        }
    };
    Some(json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// `IfExists`, since a read of what is not there is held against the right to list, without a prefix:
/// S3 answers 403 instead of 404 to who may not, and claims need the 404. So a listing of the whole
/// bucket without a prefix is let through as well: names can be seen, contents cannot.
fn read(bucket: &str, root: &str, objects: &str) -> Value {
    json!({
        "Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [bucket, objects],
        "Condition": { "StringLikeIfExists": { "s3:prefix": [root, format!("{root}*")] } }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProjectName;

    fn policy(role: &Role) -> String {
        let place = Place::new("s3://team/pre".parse().unwrap());
        let layout = Layout::new(ProjectName::parse("shop").unwrap());
        of(&place, &layout, role).unwrap().to_string()
    }

    #[test]
    fn a_reader_writes_nothing_and_an_agent_is_no_other_one() {
        let reader = policy(&Role::Reader);
        assert!(!reader.contains("Put") && !reader.contains("Delete"), "{reader}");
        let ada = policy(&Role::Agent(AgentId::parse("Ada").unwrap()));
        assert!(ada.contains("team/pre/shop/agents/!ada/*"), "{ada}");
        assert!(ada.contains("messages/!ada/_cursor.json") && !ada.contains("agents/*"), "{ada}");
    }

    #[test]
    fn what_is_overwritten_and_what_others_have_in_the_bucket_is_left_alone() {
        let once = policy(&Role::WriteOnce);
        for exception in ["beat.json", "_cursor.json", "_proof", "artifacts", "NotResource"] {
            assert!(!once.contains(exception), "{once}");
        }
        assert!(once.contains("team/pre/shop/steps/*"), "{once}");
        assert!(once.contains("s3:if-none-match"));
        let folder = Place::new("dir".parse().unwrap());
        let layout = Layout::new(ProjectName::parse("shop").unwrap());
        assert_eq!(of(&folder, &layout, &Role::WriteOnce), None);
    }
}
