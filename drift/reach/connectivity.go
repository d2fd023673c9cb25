package reach

type matrix struct{}
