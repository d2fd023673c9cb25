package web

import (
	"net/url"
	"strconv"
)

// perPage is how many rows one page lists.
const perPage = 100

// paging is one page of a list.
type paging struct {
	Total, Pages, First, Last int
	Previous, Next            string // links; "" if there is none
}

// paged cuts the page out of a list that the query asks for; one that there is not is the nearest that there is.
func paged[T any](list []T, path string, query url.Values) ([]T, paging) {
	p := paging{Total: len(list), Pages: (len(list) + perPage - 1) / perPage}
	number, err := strconv.Atoi(query.Get("page"))
	if err != nil {
		number = 1
	}
	number = max(1, min(number, p.Pages))
	from := (number - 1) * perPage
	to := min(from+perPage, len(list))
	p.First, p.Last = from+1, to
	if number > 1 {
		p.Previous = pageLink(path, query, number-1)
	}
	if number < p.Pages {
		p.Next = pageLink(path, query, number+1)
	}
	return list[from:to], p
}

func pageLink(path string, query url.Values, number int) string {
	next := url.Values{}
	for key, values := range query {
		next[key] = values
	}
	next.Set("page", strconv.Itoa(number))
	return path + "?" + next.Encode()
}
