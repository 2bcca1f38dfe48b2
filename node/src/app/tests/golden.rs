//! Bytes that live in logs and on disks: they do not change, or old ones could not be read.

use chat::{Delivery, FeedRow, Mark, Member};
use wire::PeerId;
use wire::peer::StoreId;

use super::super::keys::Key;
use super::super::value;
use super::*;

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn keys_lie_in_the_order_of_what_they_name() {
    let keys = [1u64, 255, 256, u64::from(u32::MAX), u64::MAX].map(|at| Key::Feed(AccountId(9), Cursor(at)).bytes());
    assert!(keys.is_sorted());
    assert!(keys.iter().all(|key| key < &Key::Feed(AccountId(10), Cursor(0)).bytes()));
}

#[test]
fn each_key_has_its_own_bytes() {
    let golden = [
        (Key::Account(AccountId(258)), "0000000000000102"),
        (Key::Message(ConversationId(1), Cursor(2)), "00000000000000010000000000000002"),
        (Key::Place(AccountId(1), MessageId(2)), "000000000000000100000000000000000000000000000002"),
        (Key::Cursor, "637572736f72"),
    ];
    for (key, bytes) in golden {
        assert_eq!(hex(key.bytes()), bytes, "{key:?}");
    }
    let peer = Key::Peer(PeerId([1; 32]), StoreId([2; 16])).bytes();
    assert_eq!(hex(peer), "01".repeat(32) + &"02".repeat(16));
}

#[test]
fn entries_keep_their_bytes() {
    let golden = [
        (Entry::Chat(create("Bob", 7)), format!("0100000703426f6203626f6203010203{}e807", "01".repeat(64))),
        (
            Entry::Chat(send(
                SessionId(300),
                Numbering { high_water: Seq(4), last: Some(MessageId(8)) },
                MessageId(9),
                "bob",
                "hi",
            )),
            "010004ac02050108090003626f62026869d00f".to_owned(),
        ),
        (
            Entry::Chat(Command::MarkDelivered { session: SessionId(3), marks: vec![(ConversationId(4), Cursor(5))] }),
            "01000503010405".to_owned(),
        ),
        (Entry::Cluster(ClusterCommand::Check), "010103".to_owned()),
        (
            Entry::Cluster(ClusterCommand::Verdict { index: Cursor(5), digest: [7; 32] }),
            format!("01010405{}", "07".repeat(32)),
        ),
    ];
    for (entry, bytes) in golden {
        assert_eq!(hex(entry.encode()), bytes);
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }
}

#[test]
fn records_keep_their_bytes() {
    let member = Member {
        incoming: 300,
        outgoing: 2,
        delivered: Mark { up_to: Cursor(9), incoming: 3 },
        read: Mark::default(),
        delivered_row: Some(Cursor(10)),
        read_row: None,
    };
    assert_eq!(hex(value::encode(&member)), "01ac020209030000010a00");
    let row = FeedRow::Read { conversation: ConversationId(1), by: AccountId(2), up_to: Cursor(3) };
    assert_eq!(hex(value::encode(&row)), "0102010203");
    assert_eq!(hex(value::encode(&Delivery::Returned)), "0103");
}

#[test]
fn bytes_with_something_after_them_are_damage() {
    let mut bytes = Entry::Cluster(ClusterCommand::Check).encode().to_vec();
    assert!(Entry::decode(&bytes).is_ok());
    bytes.push(0);
    assert!(matches!(Entry::decode(&bytes), Err(StoreError::Damaged { .. })));
    assert!(matches!(Entry::decode(&[]), Err(StoreError::Damaged { .. })));
}
