use super::*;

#[test]
fn a_language_belongs_to_the_wider_one_that_is_asked_for() {
    for (language, asked, belongs) in [
        ("pt-BR", "pt", true),
        ("pt", "pt-BR", false),
        ("PT", "pt", true),
        ("ptx", "pt", false),
        ("", "", true),
    ] {
        assert_eq!(is_of(language, asked), belongs, "{language} asked for as {asked}");
    }
}

#[test]
fn a_place_is_found_from_any_place_before_it() {
    let ids: Vec<i64> = (0..200).map(|number| number * 3).collect();
    let memory = Memory { ids: ids.clone(), ..Memory::default() };
    for from in [0, 1, 17, 199] {
        for (place, id) in (0_u32..).zip(&ids) {
            let expected = (place >= from).then_some(place);
            assert_eq!(memory.place(*id, from), expected, "{id} from {from}");
            assert_eq!(memory.place(*id + 1, from), None);
        }
    }
    assert_eq!(memory.place(0, 200), None);
}
